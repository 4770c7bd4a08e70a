#include "kernels/launch.h"

#include <thrust/execution_policy.h>
#include <thrust/for_each.h>
#include <thrust/iterator/counting_iterator.h>

#include <variant>

namespace easgd::kernels {
namespace {

template <class Kernels>
void launch_any(const Kernels& kernel, std::size_t count, cudaStream_t stream) {
  std::visit(
      [=](const auto& formula) {
        thrust::for_each_n(thrust::cuda::par_nosync.on(stream),
                           thrust::counting_iterator<std::size_t>(0), count, formula);
      },
      kernel);
}

}  // namespace

void launch(const Elementwise& kernel, std::size_t count, cudaStream_t stream) {
  launch_any(kernel, count, stream);
}

void launch(const LayerPass& kernel, std::size_t count, cudaStream_t stream) {
  launch_any(kernel, count, stream);
}

}  // namespace easgd::kernels
