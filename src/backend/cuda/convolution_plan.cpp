#include "backend/cuda/convolution_plan.h"

#include <algorithm>
#include <array>
#include <span>

#include "nn/conv2d.h"

namespace easgd::cuda {
namespace {

using Descriptor = ConvolutionPlan::Descriptor;
using Dims = std::array<std::int64_t, 4>;

/// Names of the tensors of a graph.
enum Tensor : std::int64_t { kX = 1, kW, kB, kY, kProduct, kSum };

constexpr std::int64_t kAlignment = 16;  // bytes

Descriptor make(cudnnBackendDescriptorType_t type) {
  Descriptor descriptor;
  check(cudnnBackendCreateDescriptor(type, descriptor.put()), "cudnnBackendCreateDescriptor");
  return descriptor;
}

template <class Value>
void set(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
         cudnnBackendAttributeType_t type, std::span<const Value> values) {
  check(
      cudnnBackendSetAttribute(descriptor, name, type, std::int64_t(values.size()), values.data()),
      "cudnnBackendSetAttribute");
}
template <class Value>
void set(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
         cudnnBackendAttributeType_t type, const Value& value) {
  set(descriptor, name, type, std::span<const Value>(&value, 1));
}
void set(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
         cudnnBackendDescriptor_t value) {
  set<cudnnBackendDescriptor_t>(descriptor, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, value);
}

void finalize(cudnnBackendDescriptor_t descriptor) {
  check(cudnnBackendFinalize(descriptor), "cudnnBackendFinalize");
}

Dims strides(const Dims& d, bool channels_last) {
  if (channels_last) return {d[1] * d[2] * d[3], 1, d[3] * d[1], d[1]};
  return {d[1] * d[2] * d[3], d[2] * d[3], d[3], 1};
}

/// `real`: it lies in memory, in the format's type. Else it is float and passed between operations.
Descriptor tensor(Tensor name, const Dims& dims, const Format& format, bool real = true) {
  Descriptor descriptor = make(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  const auto type = real && format.bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
  set(descriptor, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, type);
  set(descriptor, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64,
      std::span<const std::int64_t>(dims));
  const Dims steps = strides(dims, format.channels_last);
  set(descriptor, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64,
      std::span<const std::int64_t>(steps));
  set(descriptor, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, std::int64_t(name));
  set(descriptor, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, kAlignment);
  set(descriptor, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, !real);
  finalize(descriptor);
  return descriptor;
}

Descriptor arithmetic(const Convolution& c) {
  using Pair = std::array<std::int64_t, 2>;
  Descriptor descriptor = make(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  const auto set_pair = [&](cudnnBackendAttributeName_t name, Sides sides) {
    const Pair pair{sides.height, sides.width};
    set(descriptor, name, CUDNN_TYPE_INT64, std::span<const std::int64_t>(pair));
  };
  set(descriptor, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
  set(descriptor, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE,
      CUDNN_CROSS_CORRELATION);
  set(descriptor, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, std::int64_t{2});
  set_pair(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, c.pad);
  set_pair(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, c.pad);
  set_pair(CUDNN_ATTR_CONVOLUTION_DILATIONS, {1, 1});
  set_pair(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, c.stride);
  finalize(descriptor);
  return descriptor;
}

/// The names of one kind of operation.
struct Operation {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t alpha, beta, arithmetic, x, w, y;
};

Operation operation_of(Role role) {
  if (role == Role::data) {
    return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY};
  }
  if (role == Role::filter) {
    return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY};
  }
  return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y};
}

Descriptor convolve(const Convolution& c, Role role, cudnnBackendDescriptor_t x,
                    cudnnBackendDescriptor_t w, cudnnBackendDescriptor_t y) {
  const Operation names = operation_of(role);
  const Descriptor how = arithmetic(c);
  Descriptor operation = make(names.type);
  set(operation, names.alpha, CUDNN_TYPE_FLOAT, 1.0f);
  set(operation, names.beta, CUDNN_TYPE_FLOAT, 0.0f);
  set(operation, names.arithmetic, how);
  set(operation, names.x, x);
  set(operation, names.w, w);
  set(operation, names.y, y);
  finalize(operation);
  return operation;
}

// cuDNN 9 calls the attribute deprecated, names none in its rank, and without it makes 0 of a NaN.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
void keep_nans(cudnnBackendDescriptor_t pointwise) {
  set(pointwise, CUDNN_ATTR_POINTWISE_NAN_PROPAGATION, CUDNN_TYPE_NAN_PROPOGATION,
      CUDNN_PROPAGATE_NAN);
}
#pragma GCC diagnostic pop

/// y = x + b, or y = max(x, 0) if b is null; a NaN stays one.
Descriptor pointwise(cudnnPointwiseMode_t mode, cudnnBackendDescriptor_t x,
                     cudnnBackendDescriptor_t b, cudnnBackendDescriptor_t y) {
  const Descriptor how = make(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  set(how, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, mode);
  set(how, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
  if (mode == CUDNN_POINTWISE_RELU_FWD) keep_nans(how);
  finalize(how);
  Descriptor operation = make(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  set(operation, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how);
  set(operation, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
  if (b) set(operation, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b);
  set(operation, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
  finalize(operation);
  return operation;
}

Descriptor graph_of(const ConvolutionPlan::Target& target, const Convolution& c, Role role) {
  const Dims x_dims{c.samples, c.input.channels, c.input.height, c.input.width};
  const Dims y_dims{c.samples, c.output.channels, c.output.height, c.output.width};
  const Descriptor x = tensor(kX, x_dims, c.format);
  const Descriptor w = tensor(
      kW, {c.output.channels, c.filter_channels(), c.kernel.height, c.kernel.width}, c.format);
  const Descriptor y = tensor(kY, y_dims, c.format);
  std::vector<Descriptor> operations;
  if (role == Role::forward_bias_relu) {
    const Descriptor b = tensor(kB, {1, c.output.channels, 1, 1}, c.format);
    const Descriptor product = tensor(kProduct, y_dims, c.format, false);
    const Descriptor sum = tensor(kSum, y_dims, c.format, false);
    operations.push_back(convolve(c, role, x, w, product));
    operations.push_back(pointwise(CUDNN_POINTWISE_ADD, product, b, sum));
    operations.push_back(pointwise(CUDNN_POINTWISE_RELU_FWD, sum, nullptr, y));
  } else {
    operations.push_back(convolve(c, role, x, w, y));
  }
  const std::vector<cudnnBackendDescriptor_t> list(operations.begin(), operations.end());
  Descriptor graph = make(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  set(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
      std::span<const cudnnBackendDescriptor_t>(list));
  if (target.handle) {
    set(graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, target.handle);
  }
  finalize(graph);
  return graph;
}

/// CUDNN_STATUS_NOT_SUPPORTED and its kin: an answer, and no failure.
bool is_not_supported(cudnnStatus_t answer) {
  return answer / 1000 == CUDNN_STATUS_NOT_SUPPORTED / 1000;
}

/// cuDNN's ranking; empty if it knows of none.
std::vector<Descriptor> ranking(const ConvolutionPlan::Target& target,
                                cudnnBackendDescriptor_t graph, cudnnBackendHeurMode_t mode) {
  const Descriptor heuristics = make(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  set(heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
  set(heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, mode);
  if (target.properties) set(heuristics, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, target.properties);
  const cudnnStatus_t answer = cudnnBackendFinalize(heuristics);
  if (is_not_supported(answer)) return {};
  check(answer, "cudnnBackendFinalize");
  std::int64_t count = 0;
  check(cudnnBackendGetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                 CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count, nullptr),
        "cudnnBackendGetAttribute");
  std::vector<Descriptor> found;
  for (std::int64_t i = 0; i < count; ++i) {
    found.push_back(make(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR));
  }
  std::vector<cudnnBackendDescriptor_t> handles(found.begin(), found.end());
  check(cudnnBackendGetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                 CUDNN_TYPE_BACKEND_DESCRIPTOR, count, &count, handles.data()),
        "cudnnBackendGetAttribute");
  found.resize(std::size_t(count));
  return found;
}

/// What cuDNN says of the arithmetic of one of its ranking.
bool is_wanted(cudnnBackendDescriptor_t choice, bool tensor_cores) {
  const Descriptor engine = make(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  cudnnBackendDescriptor_t handle = engine;
  std::int64_t count = 0;
  check(cudnnBackendGetAttribute(choice, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                 1, &count, &handle),
        "cudnnBackendGetAttribute");
  std::array<cudnnBackendNumericalNote_t, CUDNN_NUMERICAL_NOTE_TYPE_COUNT> notes{};
  check(
      cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                               std::ssize(notes), &count, notes.data()),
      "cudnnBackendGetAttribute");
  const auto has = [&](cudnnBackendNumericalNote_t note) {
    return std::ranges::find(notes.begin(), notes.begin() + count, note) != notes.begin() + count;
  };
  return !has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) &&
         (tensor_cores || !has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE));
}

}  // namespace

Convolution convolution_of(const Stage& stage, int samples, const Format& format) {
  const auto& options = dynamic_cast<const Conv2d&>(*stage.layer);
  const auto widened = [&](Shape shape) {
    return options.groups > 1 ? shape : filled_up(shape, format);
  };
  return {.samples = samples,
          .input = widened(stage.input),
          .output = widened(stage.output),
          .kernel = options.kernel,
          .stride = options.stride,
          .pad = options.pad,
          .groups = int(options.groups),
          .format = format,
          .tensor_cores = format.channels_last};
}

std::optional<ConvolutionPlan> ConvolutionPlan::make(const Target& target,
                                                     const Convolution& convolution, Role role,
                                                     std::size_t from) {
  const Descriptor graph = graph_of(target, convolution, role);
  std::size_t rank = 0;
  for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    for (const Descriptor& choice : ranking(target, graph, mode)) {
      if (rank++ < from || !is_wanted(choice, convolution.tensor_cores)) continue;
      ConvolutionPlan result;
      result.rank_ = rank - 1;
      result.role_ = role;
      result.plan_ = cuda::make(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
      set(result.plan_, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, choice);
      if (target.handle) {
        set(result.plan_, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, target.handle);
      } else {
        set(result.plan_, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, target.properties);
      }
      if (cudnnBackendFinalize(result.plan_) != CUDNN_STATUS_SUCCESS) continue;
      std::int64_t bytes = 0, count = 0;
      check(cudnnBackendGetAttribute(result.plan_, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                     CUDNN_TYPE_INT64, 1, &count, &bytes),
            "cudnnBackendGetAttribute");
      result.workspace_ = std::size_t(bytes);
      return result;
    }
  }
  return std::nullopt;
}

void ConvolutionPlan::run(cudnnHandle_t handle, const Tensors& tensors, void* workspace) const {
  std::vector<std::int64_t> names{kX, kW, kY};
  std::vector<void*> pointers{tensors.x, tensors.w, tensors.y};
  if (role_ == Role::forward_bias_relu) {
    names.push_back(kB);
    pointers.push_back(tensors.b);
  }
  const Descriptor pack = cuda::make(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  set(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64,
      std::span<const std::int64_t>(names));
  set(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR,
      std::span<void* const>(pointers));
  set(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, workspace);
  finalize(pack);
  check(cudnnBackendExecute(handle, plan_, pack), "cudnnBackendExecute");
}

}  // namespace easgd::cuda
