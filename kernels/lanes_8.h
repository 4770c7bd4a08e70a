// The width of what is compiled for AVX2: included by a variant of a kernel before its loops.
#pragma once

namespace easgd::kernels {
namespace {
constexpr int kLanes = 8;
}
}  // namespace easgd::kernels
