#include "control/acquaintances.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <span>
#include <thread>

#include <spdlog/spdlog.h>

namespace vestibule {

namespace {

using clock = std::chrono::steady_clock;

constexpr double crowded = 1.0 / 32;                      // of all bits: so many SYNs are looked up in vain
constexpr auto on_its_way = std::chrono::milliseconds(2); // longer than from the adaptor to the table of connections
constexpr int rest = 20;                                  // times as long as the last census took

acquaintance_book* map_book(int map) {
    void* at = mmap(nullptr, sizeof(acquaintance_book), PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
    if (at == MAP_FAILED) // NOLINT(performance-no-int-to-ptr): the system's own macro
        fail("cannot map the BPF map acquaintances: {}", std::strerror(errno));
    return static_cast<acquaintance_book*>(at);
}

void write_whole(acquaintance_book& book, u32 half) {
    std::atomic_ref(book.whole).store(half, std::memory_order_seq_cst);
}

} // namespace

void acquaintances::unmapper::operator()(acquaintance_book* book) const {
    munmap(book, sizeof(*book));
}

acquaintances::acquaintances(const programs& loaded)
    : census_(loaded.program("count_socket")), book_(map_book(loaded.map("acquaintances"))) {}

void acquaintances::keep() {
    if (clock::now() < not_before_ || (book_->whole != 0 && filled(book_->whole - 1) < filled_then_ + crowded))
        return;
    const time begun = clock::now();
    try {
        write_anew();
    } catch (const failure& why) {
        write_whole(*book_, 0);
        spdlog::warn("every SYN is looked up from now on, which takes longer: {}", why.what());
    }
    not_before_ = clock::now() + rest * (clock::now() - begun);
}

// In the half that nobody has read for seconds. Until the census is over, what begins is written into both.
void acquaintances::write_anew() {
    const u32 other = book_->whole == 1 ? 1 : 0;
    for (u32 words = least_acquaintance_words; words <= most_acquaintance_words; words *= 4) {
        std::atomic_ref(book_->mask[other]).store(words - 1);
        std::ranges::fill(book_->half[other], 0);
        std::this_thread::sleep_for(on_its_way);
        take_census();
        filled_then_ = filled(other);
        if (filled_then_ < crowded)
            break;
    }
    write_whole(*book_, other + 1);
}

void acquaintances::take_census() const {
    const descriptor link(bpf_link_create(census_, 0, BPF_TRACE_ITER, nullptr));
    const descriptor iterator(link ? bpf_iter_create(link.get()) : -1);
    std::array<char, 64> nothing{}; // is what the program writes; reading makes it run
    ssize_t got = 0;
    do
        got = iterator ? read(iterator.get(), nothing.data(), nothing.size()) : -1;
    while (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)));
    if (got < 0)
        fail("cannot go through the host's sockets: {}", std::strerror(errno));
}

double acquaintances::filled(u32 half) const {
    const std::span words(book_->half[half], book_->mask[half] + 1);
    const u64 set = std::accumulate(words.begin(), words.end(), u64{0},
                                    [](u64 sum, u64 word) { return sum + static_cast<u64>(std::popcount(word)); });
    return static_cast<double>(set) / static_cast<double>(64 * words.size());
}

} // namespace vestibule
