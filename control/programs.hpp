// The datapath: the programs of bpf/ and their maps, loaded into the kernel as one object.
#pragma once

#include "abi/keys.hpp"
#include "abi/settings.hpp"
#include "control/bpf_object.hpp"

namespace vestibule {

class programs {
public:
    programs();

    [[nodiscard]] int program(const char* name) const { return object_.program(name); } // descriptors, owned by this
    [[nodiscard]] int map(const char* name) const { return object_.map(name); }

    void write(const settings& s) const { put(map("config"), u32{0}, s); }
    void write(const key_ring& k) const { put(map("keys"), u32{0}, k); }

private:
    bpf_object_file object_;
};

} // namespace vestibule
