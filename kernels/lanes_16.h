// The width of what is compiled for AVX-512: included by a variant of a kernel before its loops,
// and after all that others use, too, which stays as it is.
#pragma once

#pragma GCC target("arch=x86-64-v4,prefer-vector-width=512")

namespace easgd::kernels {
namespace {
constexpr int kLanes = 16;
}
}  // namespace easgd::kernels
