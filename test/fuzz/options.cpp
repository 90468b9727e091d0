// Options of every kind: the usual blocks, read at once, the general way, and a reader written for tests alone find the
// same, and none reads a byte that is not there. Input: how many bytes the frame ends early, then the option bytes.
#include "test/fuzz/input.hpp"
#include "test/support/oracle.hpp"

using namespace vestibule;
using namespace vestibule::test;

namespace {

offer scaled_back(offer o) {
    o.shift = o.shift > 14 ? 14 : o.shift;
    return o;
}

} // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer looks for it by this name
extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
    input in(data, size);
    const u8 missing = in.take<u8>();
    const bytes options = drafting::padded(in.take_bytes(most_option_bytes));
    const bytes whole = frame_of(v4({.options = options, .payload = bytes(8, 0xee)}));
    segment s{};
    require(parse(exact_frame(whole).span(), s) == shape::tcp, "a good frame is a segment");
    require(s.options_length == options.size(), "all options are seen");

    const exact_frame f(whole);
    const offer found = read_options(f.span(), s);
    offer each{};
    read_each_option(f.span(), s, each);
    require(oracle::same(found, scaled_back(each)), "a usual block reads as any other");
    require(oracle::same(found, oracle::read_options(options)), "options read as the kernel reads them");

    // The part that may be read directly can end anywhere.
    const exact_frame cut(whole, whole.size() - missing % (options.size() + 9));
    require((read_options(cut.span(), s).kinds & ~found.kinds) == 0, "a frame cut short offers nothing new");
    return 0;
}
