// A convolution or one of its gradients, as an operation graph that cuDNN has planned.
#pragma once

#include <optional>
#include <vector>

#include "backend/cuda/check.h"
#include "backend/cuda/handle.h"
#include "base/shape.h"

namespace easgd::cuda {

/// How the values of a network lie on the device.
struct Format {
  bool channels_last = false;  ///< [N][H][W][C], for tensor cores; else [N][C][H][W]
  bool bf16 = false;           ///< else float

  std::size_t bytes() const { return bf16 ? 2 : 4; }  ///< of a value
};

/// The shape with as many channels as tensor cores want: a multiple of 16 bytes of them.
Shape filled_up(Shape shape, const Format& format);

struct Convolution {
  int samples;
  Shape input, output;
  int kernel, stride, pad;
  Format format;
  bool tensor_cores;  ///< may be used: products of floats are then rounded to TF32
};

/// What it computes. In the order of the tensors of `ConvolutionPlan::run`:
enum class Role {
  forward,            ///< y = w * x
  forward_bias_relu,  ///< y = max(w * x + b, 0)
  data,               ///< dx of w, dy
  filter,             ///< dw of x, dy
};

/// Tensors are of the format's type, a bias [K] too: for one in float cuDNN would compile a kernel
/// first. Filters lie [K][kh][kw][C] where channels are last, else [K][C][kh][kw]. All are aligned
/// to 16 bytes.
class ConvolutionPlan {
 public:
  using Descriptor = Handle<cudnnBackendDescriptor_t, cudnnBackendDestroyDescriptor>;

  /// For which device: that of a handle, or one that is not there, of which the properties are
  /// known.
  struct Target {
    cudnnHandle_t handle = nullptr;
    cudnnBackendDescriptor_t properties = nullptr;
  };

  /// The first of cuDNN's own ranking, from a place on, that gives the same bits every time; nothing
  /// where there is none.
  static std::optional<ConvolutionPlan> make(const Target& target, const Convolution& convolution,
                                             Role role, std::size_t from = 0);

  std::size_t place() const { return place_; }  ///< in the ranking
  std::size_t workspace() const { return workspace_; }
  void run(cudnnHandle_t handle, const void* x, const void* w, const void* b, const void* y,
           void* workspace) const;

 private:
  Descriptor plan_;
  std::size_t place_ = 0, workspace_ = 0;
  Role role_{};
};

}  // namespace easgd::cuda
