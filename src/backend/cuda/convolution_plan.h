// A convolution or one of its gradients, as an operation graph that cuDNN has planned.
#pragma once

#include <optional>
#include <vector>

#include "backend/cuda/check.h"
#include "backend/cuda/format.h"
#include "backend/cuda/handle.h"
#include "base/sides.h"
#include "nn/network.h"

namespace easgd::cuda {

struct Convolution {
  int samples;
  Shape input, output;
  Sides kernel, stride, pad;
  int groups = 1;
  Format format;
  bool tensor_cores;  ///< may be used: products of floats are then rounded to TF32

  /// That a filter sees.
  int filter_channels() const { return input.channels / groups; }
};

/// That of a stage whose layer is a convolution, on so many samples: with more channels if tensor
/// cores want that, unless they are cut into groups.
Convolution convolution_of(const Stage& stage, int samples, const Format& format);

/// What it computes.
enum class Role {
  forward,            ///< y = w * x
  forward_bias_relu,  ///< y = max(w * x + b, 0)
  data,               ///< dx of w, dy
  filter,             ///< dw of x, dy
};

/// Tensors are of the format's type, a bias [K] too: for one in float cuDNN would compile a kernel
/// first. Filters lie [K][kh][kw][C] if channels are last, else [K][C][kh][kw], C being those of
/// a group. All are aligned to 16 bytes.
class ConvolutionPlan {
 public:
  using Descriptor = Handle<cudnnBackendDescriptor_t, cudnnBackendDestroyDescriptor>;

  /// For which device: that of a handle, or one that is not there, of which the properties are
  /// known.
  struct Target {
    cudnnHandle_t handle = nullptr;
    cudnnBackendDescriptor_t properties = nullptr;
  };

  /// The first of cuDNN's own ranking, from a rank on, that gives the same bits every time; nothing
  /// if there is none.
  static std::optional<ConvolutionPlan> make(const Target& target, const Convolution& convolution,
                                             Role role, std::size_t from = 0);

  std::size_t rank() const { return rank_; }  ///< in the ranking, from 0
  std::size_t workspace() const { return workspace_; }
  /// What the plan computes with. Its role says which of x, w and y is written; b may be null but
  /// for forward_bias_relu.
  struct Tensors {
    void* x;
    void* w;
    void* y;
    void* b = nullptr;
  };
  void run(cudnnHandle_t handle, const Tensors& tensors, void* workspace) const;

 private:
  Descriptor plan_;
  std::size_t rank_ = 0, workspace_ = 0;
  Role role_{};
};

}  // namespace easgd::cuda
