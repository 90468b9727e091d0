#include "control/programs.hpp"

#include <cerrno>
#include <cstring>

#include "adaptor.skel.h"
#include "census.skel.h"
#include "handoff.skel.h"
#include "rehearsal.skel.h"
#include "witness.skel.h"

namespace vestibule {

namespace {

template <class Bytes>
bpf_object_file embedded(Bytes bytes, const char* name) {
    std::size_t size = 0;
    const void* data = bytes(&size);
    return {data, size, name};
}

} // namespace

programs::programs()
    : adaptor(embedded(adaptor_bpf::elf_bytes, "adaptor")), handoff(embedded(handoff_bpf::elf_bytes, "handoff")),
      witness(embedded(witness_bpf::elf_bytes, "witness")), rehearsal(embedded(rehearsal_bpf::elf_bytes, "rehearsal")),
      census(embedded(census_bpf::elf_bytes, "census")) {
    adaptor.load();
    handoff.share_maps(adaptor);
    handoff.load();
    witness.share_maps(adaptor);
    witness.share_maps(handoff);
    witness.load();
    rehearsal.share_maps(adaptor);
    rehearsal.load();
    census.share_maps(adaptor);
    census.load();
}

} // namespace vestibule
