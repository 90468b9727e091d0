// What a running instance says of itself, and the local socket that it says it on.
#pragma once

#include <functional>
#include <string>

#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <nlohmann/json.hpp>

#include "control/answer_book.hpp"
#include "control/attachment.hpp"
#include "control/instance.hpp"
#include "metrics/counters.hpp"

namespace vestibule {

struct status_facts {
    const instance& self;
    const std::vector<attachment>& attachments;
    const answer_book& book;
    const totals& counts;
    u64 key_age_seconds;
    u64 key_epoch_seconds;
    u64 now_ms;
    bool answering;
};

// No secret is in it.
nlohmann::json describe(const status_facts& facts);

// For people.
std::string render(const nlohmann::json& status);

// Answers every connection with the whole status, then closes it.
class status_server {
public:
    status_server(asio::io_context& io, std::filesystem::path at, std::function<nlohmann::json()> describe);
    ~status_server();
    status_server(const status_server&) = delete;
    status_server& operator=(const status_server&) = delete;

private:
    void accept();

    std::filesystem::path path_;
    asio::local::stream_protocol::acceptor acceptor_;
    std::function<nlohmann::json()> describe_;
};

// Asks a running instance. Throws failure when none is there.
nlohmann::json ask_status(const instance& which);

} // namespace vestibule
