#include "kernels/launch.h"

#include <thrust/execution_policy.h>
#include <thrust/for_each.h>
#include <thrust/iterator/counting_iterator.h>

#include <stdexcept>
#include <variant>

#include "kernels/channel_block.h"

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

/// What a thread sees of its block: see channel_block.h.
struct ThreadOfBlock {
  Sums* shared_sums;
  bool* shared_last;

  __device__ Index group() const { return blockIdx.x; }
  __device__ Index part() const { return blockIdx.y; }
  __device__ Index thread() const { return threadIdx.x; }
  __device__ Sums* sums() const { return shared_sums; }
  __device__ bool& last() const { return *shared_last; }
  __device__ void wait() const { __syncthreads(); }
  __device__ void publish() const { __threadfence(); }
  __device__ Index count_up(std::uint32_t* counter, Index most) const {
    return atomicInc(counter, most);
  }
};

template <class Formula>
__global__ void __launch_bounds__(ReductionLayout::kThreads)
    sum_channels(Formula formula, ReductionLayout reduction, SumsScratch scratch) {
  __shared__ Sums sums[ReductionLayout::kThreads];
  __shared__ bool last;
  ThreadOfBlock block{sums, &last};
  sum_channels_of(block, formula, reduction, scratch);
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
