// The options of a SYN or of a completing ACK, read as the kernel reads them (tcp_parse_options): a malformed length ends
// the parse, what came before it counts, unknown kinds are skipped.
#pragma once

#include "engine/segment.hpp"

namespace vestibule {

enum : u32 {
    offers_window_scale = 1U << 0,
    offers_sack = 1U << 1,
    offers_timestamps = 1U << 2,
    offers_fast_open = 1U << 3, // kind 34 (RFC 7413), or its experimental form
    offers_signature = 1U << 4, // kind 19 (RFC 2385) or 29 (RFC 5925)
    offers_nonsense = 1U << 5,  // a length that cannot be, where there was still room for a signature
};

struct offer {
    u32 kinds;          // offers_*
    u32 timestamp;      // TSval
    u32 timestamp_echo; // TSecr
    u32 mss;            // 0: none offered
    u32 shift;          // meaningful with offers_window_scale; over 14 is 14 (RFC 7323 section 2.3)
    u32 slot;           // zero, but while options are read (forgotten)
};

ENGINE bool offers(const offer& o, u32 kind) {
    return (o.kinds & kind) != 0;
}

namespace option_kind {
enum : u8 {
    end = 0,
    nop = 1,
    mss = 2,
    window_scale = 3,
    sack_permitted = 4,
    timestamps = 8,
    md5 = 19,
    authentication = 29,
    fast_open = 34,
    experiment = 254,
};
}

namespace reading {

// RFC 7323 section 2.3: a shift count over 14 is taken as 14.
ENGINE u32 most_shift(u32 shift) {
    return shift > 14 ? 14 : shift;
}

// Fixed-size read of N option bytes at p; false where the frame ends first.
template <class Value>
ENGINE bool load(const u8* p, const u8* end, Value& value) {
    if (!fits(p, sizeof(Value), end))
        return false;
    value = read_at<Value>(p);
    return true;
}

struct ON_THE_WIRE timestamp_pair {
    be32 value;
    be32 echo;
};

ENGINE void experiment(const u8* p, const u8* end, offer& o) {
    be16 magic{};
    constexpr be16 fast_open_magic = network(u16{0xf989}); // RFC 7413 appendix A.2 (older form)
    if (load(p, end, magic) && magic == fast_open_magic)
        o.kinds |= offers_fast_open;
}

ENGINE void timestamps(const u8* p, const u8* end, offer& o) {
    timestamp_pair pair{};
    if (!load(p, end, pair))
        return;
    o.kinds |= offers_timestamps;
    o.timestamp = host(pair.value);
    o.timestamp_echo = host(pair.echo);
}

ENGINE void mss(const u8* p, const u8* end, offer& o) {
    be16 value{};
    if (load(p, end, value) && value != be16{})
        o.mss = host(value);
}

ENGINE void window_scale(const u8* p, const u8* end, offer& o) {
    u8 shift = 0;
    if (!load(p, end, shift))
        return;
    o.kinds |= offers_window_scale;
    o.shift = most_shift(shift);
}

// One option whose kind and size stand; `p` is its content.
ENGINE void option(u8 kind, u8 size, const u8* p, const u8* end, offer& o) {
    if (kind == option_kind::mss && size == 4)
        mss(p, end, o);
    else if (kind == option_kind::window_scale && size == 3)
        window_scale(p, end, o);
    else if (kind == option_kind::sack_permitted && size == 2)
        o.kinds |= offers_sack;
    else if (kind == option_kind::timestamps && size == 10)
        timestamps(p, end, o);
    else if (kind == option_kind::md5 || kind == option_kind::authentication)
        o.kinds |= offers_signature;
    else if (kind == option_kind::fast_open)
        o.kinds |= offers_fast_open;
    else if (kind == option_kind::experiment && size >= 4)
        experiment(p, end, o);
}

// The option at offset `at`; false: it was the last.
ENGINE bool next_option(const frame& f, const u8* options, u32 length, u32& at, offer& o) {
    const u8* p = options + at;
    if (at >= length || !fits(p, 1, f.end) || *p == option_kind::end)
        return false;
    if (*p == option_kind::nop) {
        ++at;
        return true;
    }
    if (at + 2 > length || !fits(p, 2, f.end))
        return false;
    const u8 size = p[1];
    if (size < 2 || at + size > length) {
        constexpr u32 signature = 18; // bytes of the MD5 option: with fewer left the kernel does not look for one
        o.kinds |= length - at >= signature ? offers_nonsense : 0;
        return false;
    }
    option(p[0], size, p + 2, f.end, o);
    at += size;
    return true;
}

} // namespace reading

constexpr u32 most_option_bytes = 40;

namespace reading {

// The two blocks that most segments carry, read at once. Whatever is not exactly one of them goes the general way, and a
// test holds both ways to the same result.
struct ON_THE_WIRE linux_syn {
    be16 mss_head; // kind 2, size 4
    be16 mss;
    be32 sack_and_timestamps; // kind 4, size 2; kind 8, size 10
    be32 timestamp;
    be32 timestamp_echo;
    u8 nop;
    u8 scale_kind;
    u8 scale_size;
    u8 shift;
};
static_assert(sizeof(linux_syn) == 20);

struct ON_THE_WIRE aligned_timestamps {
    be32 head; // NOP, NOP, kind 8, size 10
    be32 timestamp;
    be32 timestamp_echo;
};
static_assert(sizeof(aligned_timestamps) == 12);

ENGINE bool linux_syn_block(const u8* p, const u8* end, offer& o) {
    const auto* b = reinterpret_cast<const linux_syn*>(p);
    if (!fits(b, sizeof(*b), end) || b->mss_head != network(u16{0x0204}) ||
        b->sack_and_timestamps != network(0x0402080aU) || b->nop != option_kind::nop ||
        b->scale_kind != option_kind::window_scale || b->scale_size != 3)
        return false;
    o = {offers_window_scale | offers_sack | offers_timestamps,
         host(b->timestamp),
         host(b->timestamp_echo),
         host(b->mss),
         most_shift(b->shift),
         0};
    return true;
}

ENGINE bool aligned_timestamps_block(const u8* p, const u8* end, offer& o) {
    const auto* b = reinterpret_cast<const aligned_timestamps*>(p);
    if (!fits(b, sizeof(*b), end) || b->head != network(0x0101080aU))
        return false;
    o = {offers_timestamps, host(b->timestamp), host(b->timestamp_echo), 0, 0, 0};
    return true;
}

} // namespace reading

// Any block, option by option, into an empty offer.
ENGINE void read_each_option(const frame& f, const segment& s, offer& o) {
    u32 at = 0;
    const u32 length = s.options_length <= most_option_bytes ? s.options_length : most_option_bytes;
    const u8* options = f.begin + (s.options_at & furthest);
#pragma clang loop unroll(disable)
    for (u32 i = 0; i < most_option_bytes; ++i) {
        at = forgotten(at, o.slot) & 63;
        if (!reading::next_option(f, options, length, at, o))
            break;
    }
    o.slot = 0;
}

// Only the blocks that most segments carry; false: `s` has another, and `o` is as it was.
ENGINE bool read_usual_options(const frame& f, const segment& s, offer& o) {
    const u8* options = f.begin + (s.options_at & furthest);
    if (s.options_length == sizeof(reading::linux_syn))
        return reading::linux_syn_block(options, f.end, o);
    return s.options_length == sizeof(reading::aligned_timestamps) &&
           reading::aligned_timestamps_block(options, f.end, o);
}

// Into an empty offer.
ENGINE void read_options(const frame& f, const segment& s, offer& o) {
    if (!read_usual_options(f, s, o))
        read_each_option(f, s, o);
}

ENGINE offer read_options(const frame& f, const segment& s) {
    offer o{};
    read_options(f, s, o);
    return o;
}

} // namespace vestibule
