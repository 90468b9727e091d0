// The datapath: the programs of bpf/ loaded into the kernel, with one set of maps between them.
#pragma once

#include "abi/keys.hpp"
#include "abi/settings.hpp"
#include "control/bpf_object.hpp"

namespace vestibule {

struct programs {
    programs();

    void write(const settings& s) const { put(adaptor.map("config"), u32{0}, s); }
    void write(const key_ring& k) const { put(adaptor.map("keys"), u32{0}, k); }

    bpf_object_file adaptor;
    bpf_object_file handoff;
    bpf_object_file witness;
    bpf_object_file rehearsal;
    bpf_object_file census;
};

} // namespace vestibule
