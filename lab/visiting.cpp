// On a small machine these visitors work on the server's own CPU, and while they work the server does not. So there is
// little between waking up and the SYN: sockets are made in advance.
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "lab/prefix.hpp"
#include "lab/visiting.hpp"

namespace {

using namespace vestibule;
using namespace vestibule::lab;
using clock = std::chrono::steady_clock;
using seconds = std::chrono::duration<double>;

[[noreturn]] void fail(const char* what) {
    throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

struct endpoint {
    sockaddr_storage name{};
    socklen_t length = 0;

    [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }
};

endpoint endpoint_of(bool v4, const words& address, u16 port) {
    endpoint result;
    if (v4) {
        const sockaddr_in name{AF_INET, htons(port), {address[0]}, {}};
        std::memcpy(&result.name, &name, result.length = sizeof(name));
    } else {
        sockaddr_in6 name{AF_INET6, htons(port), 0, {}, 0};
        std::memcpy(&name.sin6_addr, address.data(), sizeof(name.sin6_addr));
        std::memcpy(&result.name, &name, result.length = sizeof(name));
    }
    return result;
}

// The n-th address of a prefix, its network and broadcast addresses left out.
words nth_address(const prefix& of, u32 n) {
    const std::size_t last = of.v4 ? 0 : 3;
    const u32 hosts = std::min(ntohl(of.mask[last]), 65535U);
    words result = of.address;
    result[last] |= htonl(hosts > 1 ? 1 + n % (hosts - 1) : 0);
    return result;
}

// Without a port, connect() chooses one, which knows the whole 4-tuple.
int socket_from(const endpoint& source) {
    const int fd = socket(source.name.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int yes = 1;
    if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes)) != 0 ||
        bind(fd, source.get(), source.length) != 0)
        fail("cannot make a socket from --sources");
    return fd;
}

enum class stage : u8 { waiting, connecting, reading, over };

struct visit {
    int fd = -1;
    stage at = stage::waiting;
    clock::time_point began;
    seconds connect{-1}; // negative: did not
    seconds complete{-1};
    std::string page;
};

class visitors {
public:
    visitors(const invitation& to, std::size_t number);
    ~visitors();
    visitors(const visitors&) = delete;
    visitors& operator=(const visitors&) = delete;

    // Begins visits when they are due, whatever became of those before.
    void go();
    void print_summary() const;

private:
    [[nodiscard]] bool all_over() const { return oldest_ == visits_.size(); }
    [[nodiscard]] clock::time_point due() const;
    void begin(visit& v);
    void watch(int operation, std::size_t which, u32 events) const;
    void go_on(visit& v);
    void connected(visit& v);
    [[nodiscard]] bool ask(const visit& v) const;
    void read(visit& v);
    static void end(visit& v);
    void give_up();
    [[nodiscard]] int pause() const;
    void print_progress();
    void print_counts() const;
    void print_times(const char* name, seconds visit::* which) const;

    invitation invitation_;
    endpoint server_;
    std::vector<visit> visits_;
    int epoll_;
    std::size_t begun_ = 0;
    std::size_t oldest_ = 0; // all before are over
    std::size_t completed_ = 0;
    clock::time_point start_;
    clock::time_point printed_;
};

visitors::visitors(const invitation& to, std::size_t number)
    : invitation_(to), visits_(number), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    const prefix server = parse_prefix(to.server);
    const prefix sources = parse_prefix(to.sources);
    if (server.v4 != sources.v4)
        throw std::runtime_error("--sources and --server are of different families");
    server_ = endpoint_of(server.v4, server.address, to.port);
    if (to.first_port != 0 && to.first_port + number > 65536)
        throw std::runtime_error("--first-port: there are not so many ports as visits");
    for (u32 n = 0; visit & v : visits_) {
        const auto port = static_cast<u16>(to.first_port == 0 ? 0 : to.first_port + n);
        v.fd = socket_from(endpoint_of(sources.v4, nth_address(sources, n++), port));
    }
}

visitors::~visitors() {
    for (visit& v : visits_)
        end(v);
    close(epoll_);
}

clock::time_point visitors::due() const {
    return start_ +
           std::chrono::duration_cast<clock::duration>(seconds(static_cast<double>(begun_) / invitation_.rate));
}

void visitors::watch(int operation, std::size_t which, u32 events) const {
    epoll_event wanted{events, {.u64 = which}};
    if (epoll_ctl(epoll_, operation, visits_[which].fd, &wanted) != 0)
        fail("epoll_ctl");
}

void visitors::begin(visit& v) {
    v.began = clock::now();
    v.at = stage::connecting;
    if (connect(v.fd, server_.get(), server_.length) != 0 && errno != EINPROGRESS)
        end(v);
    else
        watch(EPOLL_CTL_ADD, begun_, EPOLLOUT);
    ++begun_;
}

bool visitors::ask(const visit& v) const {
    constexpr std::string_view question = "GET / HTTP/1.0\r\n\r\n";
    return invitation_.silent || send(v.fd, question.data(), question.size(), MSG_NOSIGNAL) >= 0;
}

void visitors::connected(visit& v) {
    const seconds took = clock::now() - v.began;
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(v.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        end(v);
        return;
    }
    v.connect = took;
    v.at = stage::reading;
    if (ask(v))
        watch(EPOLL_CTL_MOD, static_cast<std::size_t>(&v - visits_.data()), EPOLLIN);
    else
        end(v);
}

void visitors::read(visit& v) {
    std::array<char, 16384> some;
    const ssize_t got = recv(v.fd, some.data(), some.size(), 0);
    if (got > 0) {
        v.page.append(some.data(), static_cast<std::size_t>(got));
        return;
    }
    if (got == 0 && v.page.starts_with(invitation_.silent ? "220 " : "HTTP/1.1 200 ")) {
        v.complete = clock::now() - v.began;
        ++completed_;
    }
    end(v);
}

void visitors::go_on(visit& v) {
    if (v.at == stage::connecting)
        connected(v);
    else if (v.at == stage::reading)
        read(v);
}

void visitors::end(visit& v) {
    if (v.fd >= 0)
        close(v.fd);
    v.fd = -1;
    v.at = stage::over;
}

void visitors::give_up() {
    const auto now = clock::now();
    for (; oldest_ < begun_; ++oldest_) {
        visit& v = visits_[oldest_];
        if (v.at != stage::over && now - v.began < seconds(invitation_.patience))
            return;
        end(v);
    }
}

// Milliseconds to wait for events.
int visitors::pause() const {
    constexpr int longest = 50;
    if (begun_ == visits_.size())
        return longest;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(due() - clock::now()).count();
    return static_cast<int>(std::clamp<long>(left, 0, longest));
}

void visitors::go() {
    std::array<epoll_event, 64> events;
    start_ = printed_ = clock::now();
    while (!all_over()) {
        const int happened = epoll_wait(epoll_, events.data(), events.size(), pause());
        if (begun_ < visits_.size() && clock::now() >= due())
            begin(visits_[begun_]);
        for (int i = 0; i < happened; ++i)
            go_on(visits_[events[static_cast<std::size_t>(i)].data.u64]);
        give_up();
        print_progress();
    }
}

void visitors::print_counts() const {
    std::cout << "{\"tried\": " << begun_ << ", \"completed\": " << completed_;
}

void visitors::print_progress() {
    const auto now = clock::now();
    if (now - printed_ < std::chrono::milliseconds(200))
        return;
    printed_ = now;
    print_counts();
    std::cout << "}" << std::endl;
}

void visitors::print_times(const char* name, seconds visit::* which) const {
    std::cout << ", \"" << name << "\": [";
    for (const char* separator = ""; const visit& v : visits_) {
        std::cout << separator;
        separator = ", ";
        if ((v.*which).count() < 0)
            std::cout << "null";
        else
            std::cout << (v.*which).count();
    }
    std::cout << ']';
}

void visitors::print_summary() const {
    print_counts();
    print_times("connect_seconds", &visit::connect);
    print_times("complete_seconds", &visit::complete);
    std::cout << "}" << std::endl;
}

void allow_open_files(std::size_t number) {
    const rlimit enough{number + 100, number + 100};
    rlimit now{};
    getrlimit(RLIMIT_NOFILE, &now);
    if (now.rlim_cur < enough.rlim_cur && setrlimit(RLIMIT_NOFILE, &enough) != 0)
        fail("cannot open as many sockets as there are visits");
}

} // namespace

namespace vestibule::lab {

void visit_all(const invitation& to) {
    const auto number = static_cast<std::size_t>(std::lround(to.rate * to.seconds));
    allow_open_files(number);
    visitors all(to, number);
    std::cout << "ready" << std::endl;
    std::this_thread::sleep_for(seconds(to.delay));
    all.go();
    all.print_summary();
}

} // namespace vestibule::lab
