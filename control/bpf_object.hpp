// BPF objects, their maps and their links, with owners.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include <cerrno>
#include <cstring>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "abi/scalar.hpp"
#include "control/descriptor.hpp"
#include "control/failure.hpp"

namespace vestibule {

// One object file, embedded in this program by its skeleton.
class bpf_object_file {
public:
    bpf_object_file(const void* (*bytes)(std::size_t* size), const char* name); // `bytes` as the skeleton has it

    void load();

    [[nodiscard]] int program(const char* name) const; // descriptor, owned by the object
    [[nodiscard]] int map(const char* name) const;
    [[nodiscard]] bpf_object* raw() const { return object_.get(); }

private:
    struct closer {
        void operator()(bpf_object* o) const { bpf_object__close(o); }
    };
    std::unique_ptr<bpf_object, closer> object_;
    std::string name_;
};

// An options structure of libbpf: all zero but its own size.
template <class Options>
Options sized() {
    Options o{};
    o.sz = sizeof(Options);
    return o;
}

template <class Key, class Value>
void put(int map, const Key& key, const Value& value) {
    if (bpf_map_update_elem(map, &key, &value, BPF_ANY) != 0)
        fail("cannot write to a BPF map: {}", std::strerror(errno));
}

// visit(key, value) for every entry of a hash; for none, where there is no map.
template <class Key, class Value, class Visit>
void for_each(int map, Visit visit) {
    Key key{};
    Value value{};
    for (const Key* before = nullptr; bpf_map_get_next_key(map, before, &key) == 0; before = &key)
        if (bpf_map_lookup_elem(map, &key, &value) == 0)
            visit(key, value);
}

// The number of the program that an XDP or TCX link holds at that interface; 0: none.
u32 program_held_by(const descriptor& link, u32 ifindex);

// Runs the XDP program `count` times, each time on a live frame of these bytes that arrives on `ifindex`; the stack has
// done with each before the next comes. 0, or -1 with errno.
int inject_frames(int program, u32 ifindex, const void* bytes, std::size_t size, std::size_t count);

} // namespace vestibule
