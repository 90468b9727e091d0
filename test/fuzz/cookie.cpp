// The cookie: what is made is taken and remembers its memo; and for every number that may be acknowledged, the engine
// says what a second implementation, on libsodium's SipHash, says. Input: keys, connection, memo, shift, then what is
// changed.
#include "test/fuzz/input.hpp"
#include "test/support/oracle.hpp"

using namespace vestibule;
using namespace vestibule::test;

namespace {

struct scene {
    key_ring keys;
    segment syn;
    u32 memo_bits;
    u8 our_shift;
};

segment take_syn(input& in) {
    segment s{};
    s.v6 = (in.take<u8>() & 1) != 0;
    s.source = in.take<address>();
    s.destination = in.take<address>();
    s.source_port = in.take<be16>();
    s.destination_port = in.take<be16>();
    s.sequence = in.take<u32>();
    return s;
}

scene take_scene(input& in) {
    scene x{};
    x.syn = take_syn(in);
    x.memo_bits = in.take<u16>() & cookies::memo_mask;
    x.our_shift = in.take<u8>() % 15;
    x.keys.current = in.take<u8>() & 1;
    x.keys.cookie[0] = in.take<secret_key>();
    x.keys.cookie[1] = in.take<secret_key>();
    return x;
}

segment acknowledging(segment s, u32 cookie) {
    s.sequence += 1;
    s.acknowledgment = cookie + 1;
    return s;
}

void made_is_taken(const scene& x, u32 cookie) {
    const oracle::connection c = oracle::connection_of(x.syn, x.syn.sequence);
    require(cookie == oracle::cookie(x.keys, c, x.memo_bits, x.our_shift, x.keys.current), "layout and MAC");
    memo m{};
    require(check_cookie(x.keys, acknowledging(x.syn, cookie), x.our_shift, m), "what is made is taken");
    require(cookies::pack(m) == x.memo_bits, "the memo is kept");
}

template <class Field>
void flip(Field& field, u32 bit) {
    reinterpret_cast<u8*>(&field)[bit / 8 % sizeof(Field)] ^= static_cast<u8>(1U << bit % 8);
}

// One bit of anything that goes into the check.
void disturb(scene& x, segment& ack, u8 what, u32 bit) {
    switch (what % 8) {
    case 0:
        return flip(ack.acknowledgment, bit);
    case 1:
        return flip(ack.sequence, bit);
    case 2:
        return flip(ack.source, bit);
    case 3:
        return flip(ack.destination, bit);
    case 4:
        return flip(ack.source_port, bit);
    case 5:
        return flip(ack.destination_port, bit);
    case 6:
        return flip(x.keys.cookie[x.keys.current], bit);
    default:
        x.our_shift = static_cast<u8>((x.our_shift + 1 + bit % 14) % 15);
    }
}

void every_answer_is_the_oracles(const scene& x, const segment& ack) {
    memo m{};
    const bool taken = check_cookie(x.keys, ack, x.our_shift, m);
    const oracle::connection c = oracle::connection_of(ack, ack.sequence - 1);
    require(taken == oracle::is_ours(x.keys, c, ack.acknowledgment - 1, x.our_shift), "taken as by the oracle");
}

} // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer looks for it by this name
extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
    input in(data, size);
    scene x = take_scene(in);
    const u32 cookie = make_cookie(x.keys, x.syn, cookies::unpack(x.memo_bits), x.our_shift);
    made_is_taken(x, cookie);
    segment ack = acknowledging(x.syn, cookie);
    for (int changes = 0; changes < 16 && in.left() != 0; ++changes) {
        const u8 what = in.take<u8>();
        disturb(x, ack, what, in.take<u8>());
        every_answer_is_the_oracles(x, ack);
    }
    ack.acknowledgment = in.take<u32>(); // any number
    every_answer_is_the_oracles(x, ack);
    return 0;
}
