#include "control/status.hpp"

#include <sys/stat.h>

#include <asio/read.hpp>
#include <asio/write.hpp>

#include "control/failure.hpp"
#include "control/text.hpp"

namespace vestibule {

using nlohmann::json;

namespace {

std::string interface_of(const std::vector<attachment>& attachments, u32 ifindex) {
    for (const attachment& a : attachments)
        if (a.ifindex() == ifindex)
            return a.interface();
    return std::to_string(ifindex);
}

json describe_endpoint(const endpoint& where, const answer& a, const status_facts& facts) {
    json e = {{"address", text(where.local)},
              {"port", host(where.port)},
              {"interface", interface_of(facts.attachments, where.ifindex)},
              {"state", a.state == service::served ? "served" : "left"},
              {"answer_age_seconds", (facts.now_ms - a.rehearsed_ms) / 1000}};
    if (where.outer_vlan != 0)
        e["vlan"] = where.outer_vlan;
    if (where.inner_vlan != 0)
        e["inner_vlan"] = where.inner_vlan;
    if (a.state == service::left) {
        e["why"] = text(a.why);
        return e;
    }
    e["handoff"] = a.form == handoff_form::untracked ? "untracked" : "tracked";
    e["window"] = a.with_timestamps.window;
    e["mss"] = a.with_timestamps.mss;
    e["window_scale"] = a.with_timestamps.shift;
    return e;
}

json describe_counters(const totals& counts) {
    json c = json::object();
    for (u32 i = 0; i < reason_count; ++i)
        c[reason_texts.at(i).name] = counts.at(i);
    return c;
}

} // namespace

json describe(const status_facts& facts) {
    json interfaces = json::array();
    for (const attachment& a : facts.attachments)
        interfaces.push_back({{"name", a.interface()},
                              {"index", a.ifindex()},
                              {"xdp_mode", name_of(a.mode())},
                              {"xdp_program", a.adaptor_program()},
                              {"tc_ingress_program", a.handoff_program()}});
    json endpoints = json::array();
    for (const auto& [where, e] : facts.book.all())
        endpoints.push_back(describe_endpoint(where, e.on_file, facts));
    return {{"instance", facts.self.name},
            {"answering", facts.answering},
            {"interfaces", interfaces},
            {"endpoints", endpoints},
            {"key_age_seconds", facts.key_age_seconds},
            {"key_rotation_seconds", facts.key_epoch_seconds},
            {"counters", describe_counters(facts.counts)}};
}

namespace {

std::string standing(const json& program) {
    const u32 number = program;
    return number != 0 ? fmt::format("program {}", number) : "not attached any more";
}

std::string render_interface(const json& i) {
    return fmt::format("  {:<28} XDP {}: adaptor, {}; TC ingress: handoff, {}\n", i["name"].get<std::string>(),
                       i["xdp_mode"].get<std::string>(), standing(i["xdp_program"]), standing(i["tc_ingress_program"]));
}

std::string render_endpoint(const json& e) {
    const std::string address = e["address"];
    const std::string where = fmt::format(
        "{}:{}", address.find(':') != std::string::npos ? "[" + address + "]" : address, e["port"].get<int>());
    const std::string tag = e.contains("vlan") ? fmt::format(" vlan {}", e["vlan"].get<int>()) : "";
    if (e["state"] == "left")
        return fmt::format("  {:<28} {:<12} left to the stack: {}\n", where, e["interface"].get<std::string>() + tag,
                           e["why"].get<std::string>());
    return fmt::format("  {:<28} {:<12} served{}, asked {} s ago\n", where, e["interface"].get<std::string>() + tag,
                       e["handoff"] == "untracked" ? " (untracked)" : "", e["answer_age_seconds"].get<u64>());
}

} // namespace

std::string render(const json& status) {
    std::string out =
        fmt::format("vestibule '{}': {}, keys {} s old (new ones every {} s)\n", status["instance"].get<std::string>(),
                    status["answering"].get<bool>() ? "answering" : "stopping", status["key_age_seconds"].get<u64>(),
                    status["key_rotation_seconds"].get<u64>());
    out += "\ninterfaces\n";
    for (const json& i : status["interfaces"])
        out += render_interface(i);
    out += "\nlisteners\n";
    for (const json& e : status["endpoints"])
        out += render_endpoint(e);
    out += "\ncounters\n";
    for (const auto& r : reason_texts)
        out += fmt::format("  {:<22} {:>14}  {}\n", r.name, status["counters"].value(r.name, u64{0}), r.help);
    return out;
}

status_server::status_server(asio::io_context& io, std::filesystem::path at, std::function<json()> describe)
    : path_(std::move(at)), acceptor_(io), describe_(std::move(describe)) {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
    acceptor_.open();
    acceptor_.bind(asio::local::stream_protocol::endpoint(path_.string()));
    if (chmod(path_.c_str(), 0600) != 0)
        fail("cannot keep {} to root alone: {}", path_.string(), std::strerror(errno));
    acceptor_.listen();
    accept();
}

status_server::~status_server() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
}

void status_server::accept() {
    acceptor_.async_accept([this](std::error_code error, asio::local::stream_protocol::socket peer) {
        if (error == asio::error::operation_aborted)
            return;
        if (!error) {
            auto text = std::make_shared<std::string>(describe_().dump() + "\n");
            auto socket = std::make_shared<asio::local::stream_protocol::socket>(std::move(peer));
            asio::async_write(*socket, asio::buffer(*text), [socket, text](std::error_code, std::size_t) {});
        }
        accept();
    });
}

json ask_status(const instance& which) {
    asio::io_context io;
    asio::local::stream_protocol::socket socket(io);
    std::error_code error;
    error = socket.connect(asio::local::stream_protocol::endpoint(which.socket().string()), error);
    if (error == asio::error::access_denied)
        fail("status is for root: run it with sudo");
    if (error)
        fail("no vestibule instance '{}' runs in this network namespace: start one with 'vestibule run', or name "
             "another with "
             "--instance",
             which.name);
    std::string text;
    asio::read(socket, asio::dynamic_buffer(text), error);
    const json status = json::parse(text, nullptr, false);
    if (status.is_discarded())
        fail("instance '{}' gave no answer: is it stopping?", which.name);
    return status;
}

} // namespace vestibule
