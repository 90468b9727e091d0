// Any frame, through adaptor and handoff, for a host whose answer and listener are of any kind. A SYN that nothing speaks
// against is answered. A reply is whole, goes back where the SYN came from, agrees to what was offered and to no more, and
// is a promise that is kept: the ACK to it is admitted, with a record that says the same. Input: eight bytes that make up
// the host, then the frame.
#include "test/fuzz/clean.hpp"
#include "test/fuzz/input.hpp"
#include "test/support/oracle.hpp"

using namespace vestibule;
using namespace vestibule::test;

namespace {

// A host that says the same of every endpoint.
struct uniform_host {
    answer on_file;
    listener socket;
    way back;
    bool has_answer;

    const answer* answer_for(const endpoint&) const { return has_answer ? &on_file : nullptr; }
    listener listener_for(const segment&) const { return socket; }
    way way_for(const segment&) const { return back; }
    static bool just_admitted(const segment&) { return false; }
};

struct scene {
    uniform_host host;
    tags stripped;
    u32 beyond; // bytes of the frame that lie elsewhere
    bool answering;
    u64 now_ms;

    [[nodiscard]] circumstances moment() const {
        return {some_keys, now_ms, world::ifindex, world::rehearsal_token, answering};
    }
};

constexpr u64 wrapping_ms = 0x1'0000'0000 - 100; // 32 bits of milliseconds wrap between SYN and ACK
constexpr u64 round_trip_ms = 250;

answer take_answer(input& in) {
    answer a = some_answer();
    const u8 allows = in.take<u8>();
    a.with_timestamps.allows = allows & 15;
    a.without_timestamps.allows = allows >> 4 & ~allows_timestamps;
    const u8 shifts = in.take<u8>();
    a.with_timestamps.shift = (shifts & 15) % 15;
    a.without_timestamps.shift = (shifts >> 4) % 15;
    const u8 traits = in.take<u8>();
    a.dont_fragment = traits & 1;
    a.flow_label = traits >> 1 & 1;
    a.classic_ecn_for_accecn = traits >> 2 & 1;
    a.state = (traits & 8) != 0 ? service::left : service::served;
    a.traffic_class = static_cast<u8>(traits & 0xf0U);
    return a;
}

listener take_listener(input& in) {
    const u8 traits = in.take<u8>();
    listener l = listening();
    l.queue_full = (traits & 1) != 0;
    l.multipath = (traits & 2) != 0;
    l.fast_open = (traits & 4) != 0;
    l.demands_keys = (traits & 8) != 0;
    l.waits_for_data = (traits & 16) != 0;
    l.most_mss = (traits & 32) != 0 ? u16{1000} : u16{0};
    l.state = (traits & 0xc0U) == 0x40 ? socket_state::connection : l.state;
    l.state = (traits & 0xc0U) == 0x80 ? socket_state::absent : l.state;
    return l;
}

scene take_scene(input& in) {
    scene x{};
    x.host.on_file = take_answer(in);
    x.host.socket = take_listener(in);
    const u8 moment = in.take<u8>();
    x.host.has_answer = (moment & 1) == 0;
    x.answering = (moment & 2) == 0;
    x.now_ms = (moment & 4) != 0 ? wrapping_ms : 1'000'000;
    x.stripped.outer = (moment & 8) != 0 ? u16{7} : u16{0};
    x.beyond = (moment & 16) != 0 ? in.take<u16>() : in.take<u16>() & 1U;
    const u8 way_back = in.take<u8>();
    x.host.back = {{2, 0, 0, 0, 0, 9}, static_cast<way_kind>((way_back & 3U) ^ 2U), 0};
    if ((way_back & 4U) != 0)
        __builtin_memset(x.host.on_file.way_back, 0, 6);
    return x;
}

// Everything that reads a frame, over memory of exactly its size. The handoff may meet a packet without a link header.
read_frame read_exactly(const exact_frame& f, const scene& x) {
    read_frame r;
    for (const be16 type : {wire::type_ipv4, wire::type_ipv6}) {
        segment bare{};
        if (parse_packet(f.span(x.beyond), 0, type, bare) == shape::tcp)
            read_options(f.span(), bare);
    }
    r.s.vlan = x.stripped;
    r.how = parse(f.span(x.beyond), r.s);
    if (r.how == shape::tcp)
        r.o = read_options(f.span(), r.s);
    return r;
}

// Strangers' way, which needs no asking, or the one that the host says.
bytes way_to(const bytes& syn, const uniform_host& host) {
    const bytes sender = part(syn, 6, 6);
    const bytes known{host.on_file.way_back, host.on_file.way_back + 6};
    const bool asked = sender != known || known == bytes(6, 0);
    require(!asked || host.back.kind >= way_kind::on_link, "the answer takes a way that the host knows");
    return asked && host.back.kind == way_kind::by_station ? bytes{host.back.station, host.back.station + 6} : sender;
}

void check_headers(const reply& a, const bytes& syn, const read_frame& r, const scene& x) {
    require(a.ip_sum == 0 && a.tcp_sum == 0, "checksums");
    require(a.lengths_agree, "lengths");
    require(a.to == way_to(syn, x.host) && a.from == part(syn, 0, 6), "link addresses");
    require(a.tags == part(syn, 12, a.tags.size()), "tags are kept");
    require(a.v6 == r.s.v6, "family");
    const std::size_t size = a.v6 ? 16 : 4;
    const bytes addresses = oracle::connection_of(r.s, 0).addresses;
    require(a.destination == part(addresses, 0, size) && a.source == part(addresses, size, size), "addresses");
    require(a.to_port == host(r.s.source_port) && a.from_port == host(r.s.destination_port), "ports");
    require(a.acknowledgment == r.s.sequence + 1, "the SYN is acknowledged, and nothing behind it");
    require((a.flags & ~wire::ece) == (wire::syn | wire::ack), "flags");
    require(a.reserved == 0 && a.urgent == 0, "reserved bits");
}

// As RFC 3168 section 6.1.1 has it; more in attempts::offers_ecn.
bool ecn_due(const read_frame& r, const promise& p) {
    constexpr u8 both = wire::ece | wire::cwr;
    const bool plain = r.s.ecn == 0 || r.s.accurate || r.s.reserved;
    return (r.s.flags & both) == both && plain && (p.allows & allows_ecn) != 0;
}

// By another hand than the engine's, but where the frame ends within them.
offer options_in(const bytes& frame, const read_frame& r) {
    const bool whole = r.s.options_at + std::size_t{r.s.options_length} <= frame.size();
    return whole ? oracle::read_options(part(frame, r.s.options_at, r.s.options_length)) : r.o;
}

// What was offered and the host agrees to, neither less nor more.
void check_options(const reply& a, const offer& offered, const read_frame& r, const scene& x) {
    const offer said = oracle::read_options(a.options);
    const answer& on_file = x.host.on_file;
    const bool stamped =
        offers(offered, offers_timestamps) && (on_file.with_timestamps.allows & allows_timestamps) != 0;
    const promise& p = stamped ? on_file.with_timestamps : on_file.without_timestamps;
    const bool sack = offers(offered, offers_sack) && (p.allows & allows_sack) != 0;
    const bool scale = offers(offered, offers_window_scale) && (p.allows & allows_window_scale) != 0;
    require(offers(said, offers_timestamps) == stamped, "timestamps where both want them");
    require(offers(said, offers_sack) == sack, "SACK where both want it");
    require(offers(said, offers_window_scale) == scale, "window scaling where both want it");
    require((said.kinds & ~(offers_timestamps | offers_sack | offers_window_scale)) == 0, "no other option");
    require(!stamped || said.timestamp_echo == offered.timestamp, "the timestamp is echoed");
    require(!scale || said.shift == p.shift, "the window scale on file");
    require(((a.flags & wire::ece) != 0) == ecn_due(r, p), "ECN where both want it");
    require(said.mss == p.mss && a.window == p.window, "MSS and window on file");
}

// The ACK that the peer would send on reading this very reply, a moment later.
draft ack_to(const reply& a, const read_frame& r) {
    const offer said = oracle::read_options(a.options);
    draft d{.v6 = r.s.v6, .source = r.s.source, .destination = r.s.destination, .flags = wire::ack, .payload = {'x'}};
    d.from_port = host(r.s.source_port);
    d.to_port = host(r.s.destination_port);
    d.sequence = a.acknowledgment;
    d.acknowledgment = a.sequence + 1;
    if (offers(said, offers_timestamps))
        d.options = opt::stamped(r.o.timestamp + 1, said.timestamp);
    return d;
}

void check_record(const established& e, const reply& a, const offer& offered, const read_frame& r, u16 most_mss) {
    const offer said = oracle::read_options(a.options);
    const bool scaled = offers(said, offers_window_scale);
    require(e.local_isn == a.sequence && e.peer_isn == r.s.sequence, "initial sequence numbers");
    require(e.window_scale == scaled && e.local_shift == (scaled ? said.shift : 0), "our window scale");
    require(e.peer_shift == (scaled ? offered.shift : 0), "the peer's window scale");
    require(e.sack == offers(said, offers_sack) && e.timestamps == offers(said, offers_timestamps), "options");
    require(e.ecn == ((a.flags & wire::ece) != 0), "ECN");
    require(e.timestamps == 0 || e.timestamp_now - said.timestamp == round_trip_ms, "the clock of the moment");
    require(e.mss == oracle::kept_mss(r.s.v6, offered.mss, most_mss), "the peer's MSS, rounded down");
}

void promise_is_kept(const reply& a, const offer& offered, const read_frame& r, const scene& x) {
    if (a.acknowledgment == world::rehearsal_token)
        return;
    scene later = x;
    later.now_ms += round_trip_ms;
    const completed done = complete(frame_of(ack_to(a, r)), later.host, later.moment());
    require(done.result == outcome{action::admit, reason::admitted}, "the ACK to a reply is admitted");
    check_record(done.record, a, offered, r, x.host.socket.most_mss);
}

void check_reply(const bytes& syn, const bytes& answered, const read_frame& r, const scene& x) {
    const reply a = take_apart(answered);
    check_headers(a, syn, r, x);
    const offer offered = options_in(syn, r);
    check_options(a, offered, r, x);
    const read_frame again = read(answered, x.stripped);
    require(again.how == shape::tcp && again.s.flags == a.flags, "our own parser reads it");
    promise_is_kept(a, offered, r, x);
}

// The host, its listener and the way to the peer allow of an answer to that station's SYNs.
bool serves(const bytes& frame, const scene& x) {
    const listener& l = x.host.socket;
    const bool open = l.state == socket_state::listening && !l.queue_full && !l.multipath && !l.demands_keys;
    return x.answering && x.host.has_answer && x.host.on_file.state == service::served && open && frame.size() >= 12 &&
           part(frame, 0, 6) == bytes(host_link.begin(), host_link.end()) && x.host.back.kind >= way_kind::on_link;
}

void at_adaptor(const bytes& arriving, const scene& x) {
    const exact_frame f(arriving);
    const read_frame r = read_exactly(f, x);
    const bool due = serves(arriving, x) && clean::syn(arriving, x.host.socket.fast_open);
    require(!due || r.how == shape::tcp, "a clean SYN is read");
    if (r.how != shape::tcp)
        return;
    synack answer{};
    const outcome o = judge_attempt(f.span(x.beyond), r.s, r.o, x.moment(), x.host, answer);
    require(f.untouched(), "judging changes nothing");
    require(!due || o == attempts::ready, "a clean SYN is answered");
    if (o.act != action::reply)
        return;
    const exact_frame reply(arriving, reply_length(r.s, answer));
    require(write_synack(reply.span(), r.s, answer), "there is room for the reply");
    check_reply(arriving, reply.content(), r, x);
}

// Only our own cookies are admitted.
void at_handoff(const bytes& arriving, const scene& x) {
    const exact_frame f(arriving);
    const read_frame r = read_exactly(f, x);
    established e{};
    if (r.how != shape::tcp)
        return;
    const outcome o = judge_completion(r.s, r.o, x.host.socket, x.moment(), x.host, e);
    require(f.untouched(), "judging changes nothing");
    if (o.act != action::admit)
        return;
    require((r.s.flags & (wire::ack | wire::syn | wire::rst)) == wire::ack && !r.s.fragmented, "an ACK completes");
    const promise& p = e.timestamps != 0 ? x.host.on_file.with_timestamps : x.host.on_file.without_timestamps;
    const u32 echo = options_in(arriving, r).timestamp_echo;
    require(e.peer_isn + 1 == r.s.sequence && e.local_isn + 1 == r.s.acknowledgment, "its own sequence numbers");
    require(e.window_scale == 0 || e.local_shift == p.shift, "the scale that was promised");
    require(oracle::confirms(e, some_keys, x.now_ms, echo, x.host.socket.most_mss), "only our cookies are admitted");
}

} // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer looks for it by this name
extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
    input in(data, size);
    const scene x = take_scene(in);
    const bytes arriving = in.rest();
    at_adaptor(arriving, x);
    at_handoff(arriving, x);
    return 0;
}
