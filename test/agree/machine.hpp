// The BPF machine: the shipped programs, loaded as the control process loads them, and frames put through them one by one
// with BPF_PROG_TEST_RUN.
#pragma once

#include <array>
#include <optional>

#include "abi/reason.hpp"
#include "abi/settings.hpp"
#include "control/bpf_object.hpp"
#include "test/agree/question.hpp"
#include "test/support/bytes.hpp"
#include "test/support/native.hpp"

namespace vestibule::test {

struct run_result {
    int action; // as the program returned it: XDP_* or TCX_*
    bytes frame;
    u32 mark; // of the socket buffer, behind the handoff
    std::vector<reason> counted;
    u64 before_ms; // the adaptor's clock, read around the run
    u64 after_ms;
};

class machine {
public:
    explicit machine(const imagined_host& host);

    // Nothing: the kernel does not run programs on such a frame at all.
    std::optional<run_result> adaptor(const bytes& frame);
    std::optional<run_result> handoff(const bytes& frame);
    void answer_no_more(bool stopping);
    std::optional<finding> record(const bytes& frame, const question& q);

private:
    std::optional<run_result> run(int program, const bytes& frame, bpf_test_run_opts& options);
    void fill_maps();
    [[nodiscard]] tally counts() const;

    imagined_host host_;
    bpf_object_file datapath_;
    bpf_object_file record_;
};

} // namespace vestibule::test
