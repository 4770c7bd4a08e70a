#include "kernels/launch.h"

#include <thrust/execution_policy.h>
#include <thrust/for_each.h>
#include <thrust/iterator/counting_iterator.h>

#include <stdexcept>
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

template <class Formula>
__global__ void __launch_bounds__(Deal::kThreads)
    sum_channels(Formula formula, Deal deal, SumsPlace place) {
  __shared__ Sums sums[Deal::kThreads];
  __shared__ bool last;
  const Index group = blockIdx.x, part = blockIdx.y, thread = threadIdx.x;
  const auto add_up = [&](const Sums& found) {
    sums[thread] = found;
    for (Index half = deal.lanes() / 2; half > 0; half /= 2) {
      __syncthreads();
      fold(sums, deal, half, thread);
    }
  };
  add_up(sum_rows(formula, deal, group, part, thread));
  const bool first = thread < deal.width;  // of the lanes: it has written what it reads now
  if (first) {
    place.partial[deal.place(group, part) + thread] = sums[thread];
    __threadfence();
  }
  __syncthreads();
  if (thread == 0) last = atomicInc(place.finished + group, deal.parts - 1) == deal.parts - 1;
  __syncthreads();
  if (!last) return;
  __threadfence();
  add_up(sum_parts(place.partial, deal, group, thread));
  const Index channel = deal.channel(group, thread);
  if (first && deal.has(channel)) formula.finish(channel, sums[thread]);
}

}  // namespace

void launch(const Elementwise& kernel, std::size_t count, cudaStream_t stream) {
  launch_any(kernel, count, stream);
}

void launch(const LayerPass& kernel, std::size_t count, cudaStream_t stream) {
  launch_any(kernel, count, stream);
}

void launch(const ChannelSum& sum, const Deal& deal, const SumsPlace& place, cudaStream_t stream) {
  std::visit(
      [&](const auto& formula) {
        sum_channels<<<dim3(deal.groups, deal.parts), Deal::kThreads, 0, stream>>>(formula, deal,
                                                                                   place);
      },
      sum);
  const cudaError_t answer = cudaGetLastError();
  if (answer != cudaSuccess) throw std::runtime_error(cudaGetErrorString(answer));
}

int oldest_capability() {
  constexpr int kCapabilities[] = {__CUDA_ARCH_LIST__};  // 800, 900: nvcc sorts them
  return kCapabilities[0] / 10;
}

}  // namespace easgd::kernels
