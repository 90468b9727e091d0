#include "control/programs.hpp"

#include "datapath.skel.h"

namespace vestibule {

programs::programs() : object_(datapath_bpf::elf_bytes, "datapath") {
    object_.load();
}

} // namespace vestibule
