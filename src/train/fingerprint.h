// One number for all that a method does, so that a change of structure can be told from a change of
// a method.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace easgd {

/// For each registered algorithm a 64-bit number (FNV-1a) over every version of its center, with
/// who was absorbed when and the workers' steps and losses: the program's own workers and master on
/// the noisy quadratic, in virtual order, with 1, 3 and 8 workers, tau of 1 and 5, asynchronous and
/// synchronous, as far as the algorithm is defined for them. No data, network or library has a part
/// in it. What a fused multiply-add rounds once has: the numbers are those of g++ with -O2 or -O3,
/// its own -ffp-contract and -march=x86-64-v3 or later, with AVX-512 and without. With less
/// optimisation fewer products and sums are fused, and all numbers differ.
std::map<std::string, std::uint64_t> fingerprints();

/// Over all of them and their names.
std::uint64_t fingerprint_of_all(const std::map<std::string, std::uint64_t>& each);

}  // namespace easgd
