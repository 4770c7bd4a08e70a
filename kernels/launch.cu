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
__global__ void __launch_bounds__(ReductionLayout::kThreads)
    sum_channels(Formula formula, ReductionLayout reduction, SumsScratch scratch) {
  __shared__ Sums sums[ReductionLayout::kThreads];
  __shared__ bool last;
  const Index group = blockIdx.x, part = blockIdx.y, thread = threadIdx.x;
  const auto add_up = [&](const Sums& found) {
    sums[thread] = found;
    for (Index half = reduction.lanes() / 2; half > 0; half /= 2) {
      __syncthreads();
      fold(sums, reduction, half, thread);
    }
  };
  add_up(sum_rows(formula, reduction, group, part, thread));
  const bool first = thread < reduction.width;  // of the lanes: it has written what it reads now
  if (first) {
    scratch.partial[reduction.partial_index(group, part) + thread] = sums[thread];
    __threadfence();
  }
  __syncthreads();
  const Index others = reduction.parts - 1;
  if (thread == 0) last = atomicInc(scratch.finished + group, others) == others;
  __syncthreads();
  if (!last) return;
  __threadfence();
  add_up(sum_parts(scratch.partial, reduction, group, thread));
  const Index channel = reduction.channel(group, thread);
  if (first && reduction.has(channel)) formula.finish(channel, sums[thread]);
}

}  // namespace

void launch(const Elementwise& kernel, std::size_t count, cudaStream_t stream) {
  launch_any(kernel, count, stream);
}

void launch(const LayerPass& kernel, std::size_t count, cudaStream_t stream) {
  launch_any(kernel, count, stream);
}

void launch(const ChannelSum& sum, const ReductionLayout& reduction, const SumsScratch& scratch,
            cudaStream_t stream) {
  const dim3 blocks(reduction.groups, reduction.parts);
  std::visit(
      [&](const auto& formula) {
        sum_channels<<<blocks, ReductionLayout::kThreads, 0, stream>>>(formula, reduction, scratch);
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
