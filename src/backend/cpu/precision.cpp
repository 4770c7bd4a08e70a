#include "backend/cpu/precision.h"

#include <fmt/format.h>

#include <oneapi/dnnl/dnnl.hpp>

#include "backend/precision.h"
#include "base/error.h"
#include "base/processor_name.h"

namespace easgd::cpu {
namespace {

std::string instruction_name(dnnl::cpu_isa isa) {
  switch (isa) {
    case dnnl::cpu_isa::sse41:
      return "SSE4.1";
    case dnnl::cpu_isa::avx:
      return "AVX";
    case dnnl::cpu_isa::avx2:
      return "AVX2";
    case dnnl::cpu_isa::avx2_vnni:
      return "AVX2-VNNI";
    case dnnl::cpu_isa::avx512_core:
      return "AVX-512";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "AVX-512 VNNI";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "AVX-512 BF16";
    case dnnl::cpu_isa::avx512_core_amx:
      return "AMX";
    default:
      return "no instructions that oneDNN names";
  }
}

/// oneDNN's names are sets of bits: a later one holds those that it extends.
bool extends(dnnl::cpu_isa isa, dnnl::cpu_isa base) {
  return (unsigned(isa) & unsigned(base)) == unsigned(base);
}

}  // namespace

Processor processor() {
  const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa();
  return {processor_name(), instruction_name(isa), extends(isa, dnnl::cpu_isa::avx512_core_bf16)};
}

void check_precision(const std::string& precision) {
  if (parse_precision(precision, "the CPU", {Precision::f32, Precision::bf16}) == Precision::f32) {
    return;
  }
  const Processor here = processor();
  if (here.bf16) return;
  throw KeyError("workers.precision",
                 fmt::format("\"bf16\" needs a processor with AVX-512 BF16 or AMX; this "
                             "one ({}) has {}: "
                             "use \"f32\"",
                             here.name, here.instructions));
}

}  // namespace easgd::cpu
