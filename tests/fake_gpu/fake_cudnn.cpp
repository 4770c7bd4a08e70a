// cuDNN's operation graphs on the device of fake_cuda.h: convolutions on the host, as work of a
// stream.
//
// It is stricter than cuDNN where that finds out a wrong caller. Of the engines that it ranks, the
// first is not deterministic, and wrong; the second fails when it is planned; the third is one of
// tensor cores, which take floats as TF32; the fourth, where there are floats, is exact. Every one
// ruins the workspace it asked for.

#include <cudnn.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "fake_cuda.h"
#include "kernels/bf16.h"

/// What a handle is.
struct cudnnContext {
  cudaStream_t stream = nullptr;
};

namespace {

using Bf16 = easgd::kernels::Bf16;
using Kind = cudnnBackendDescriptorType_t;
using Name = cudnnBackendAttributeName_t;
using Type = cudnnBackendAttributeType_t;

// CUDNN_ATTR_POINTWISE_NAN_PROPAGATION and its type, whose names are deprecated.
constexpr Name kNanPropagation = Name(2);
constexpr Type kNanType = Type(10);

thread_local const char* reason = "an error";

cudnnStatus_t refuse(cudnnStatus_t status, const char* why) {
  reason = why;
  return status;
}

// ---- Descriptors ----

/// How often a kind of descriptor has an attribute, of what type.
struct Rule {
  Type type;
  std::int64_t least, most;
  bool given = true;  ///< by the caller; else made by Finalize, to be read
};

const std::map<Kind, std::map<Name, Rule>>& rules() {
  constexpr std::int64_t kMany = 1000;
  constexpr Type kDescriptor = CUDNN_TYPE_BACKEND_DESCRIPTOR, kNumber = CUDNN_TYPE_INT64;
  static const std::map<Kind, std::map<Name, Rule>> rules{
      {CUDNN_BACKEND_TENSOR_DESCRIPTOR,
       {{CUDNN_ATTR_TENSOR_DATA_TYPE, {CUDNN_TYPE_DATA_TYPE, 1, 1}},
        {CUDNN_ATTR_TENSOR_DIMENSIONS, {kNumber, 4, 4}},
        {CUDNN_ATTR_TENSOR_STRIDES, {kNumber, 4, 4}},
        {CUDNN_ATTR_TENSOR_UNIQUE_ID, {kNumber, 1, 1}},
        {CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, {kNumber, 1, 1}},
        {CUDNN_ATTR_TENSOR_IS_VIRTUAL, {CUDNN_TYPE_BOOLEAN, 0, 1}}}},
      {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR,
       {{CUDNN_ATTR_CONVOLUTION_COMP_TYPE, {CUDNN_TYPE_DATA_TYPE, 1, 1}},
        {CUDNN_ATTR_CONVOLUTION_CONV_MODE, {CUDNN_TYPE_CONVOLUTION_MODE, 1, 1}},
        {CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, {kNumber, 1, 1}},
        {CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, {kNumber, 2, 2}},
        {CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, {kNumber, 2, 2}},
        {CUDNN_ATTR_CONVOLUTION_DILATIONS, {kNumber, 2, 2}},
        {CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, {kNumber, 2, 2}}}},
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
       {{CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, {CUDNN_TYPE_FLOAT, 1, 1}},
        {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, {CUDNN_TYPE_FLOAT, 1, 1}},
        {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, {kDescriptor, 1, 1}},
        {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, {kDescriptor, 1, 1}},
        {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, {kDescriptor, 1, 1}},
        {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, {kDescriptor, 1, 1}}}},
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
       {{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, {CUDNN_TYPE_FLOAT, 1, 1}},
        {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, {CUDNN_TYPE_FLOAT, 1, 1}},
        {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, {kDescriptor, 1, 1}},
        {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, {kDescriptor, 1, 1}},
        {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, {kDescriptor, 1, 1}},
        {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, {kDescriptor, 1, 1}}}},
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
       {{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, {CUDNN_TYPE_FLOAT, 1, 1}},
        {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA, {CUDNN_TYPE_FLOAT, 1, 1}},
        {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, {kDescriptor, 1, 1}},
        {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, {kDescriptor, 1, 1}},
        {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, {kDescriptor, 1, 1}},
        {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, {kDescriptor, 1, 1}}}},
      {CUDNN_BACKEND_POINTWISE_DESCRIPTOR,
       {{CUDNN_ATTR_POINTWISE_MODE, {CUDNN_TYPE_POINTWISE_MODE, 1, 1}},
        {CUDNN_ATTR_POINTWISE_MATH_PREC, {CUDNN_TYPE_DATA_TYPE, 1, 1}},
        {kNanPropagation, {kNanType, 0, 1}}}},
      {CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR,
       {{CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, {kDescriptor, 1, 1}},
        {CUDNN_ATTR_OPERATION_POINTWISE_XDESC, {kDescriptor, 1, 1}},
        {CUDNN_ATTR_OPERATION_POINTWISE_BDESC, {kDescriptor, 0, 1}},
        {CUDNN_ATTR_OPERATION_POINTWISE_YDESC, {kDescriptor, 1, 1}}}},
      {CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR,
       {{CUDNN_ATTR_OPERATIONGRAPH_HANDLE, {CUDNN_TYPE_HANDLE, 0, 1}},
        {CUDNN_ATTR_OPERATIONGRAPH_OPS, {kDescriptor, 1, kMany}}}},
      {CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR,
       {{CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, {kDescriptor, 1, 1}},
        {CUDNN_ATTR_ENGINEHEUR_MODE, {CUDNN_TYPE_HEUR_MODE, 1, 1}},
        {CUDNN_ATTR_ENGINEHEUR_RESULTS, {kDescriptor, 0, kMany, false}}}},
      {CUDNN_BACKEND_ENGINE_DESCRIPTOR,
       {{CUDNN_ATTR_ENGINE_OPERATION_GRAPH, {kDescriptor, 1, 1}},
        {CUDNN_ATTR_ENGINE_GLOBAL_INDEX, {kNumber, 1, 1}},
        {CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, {CUDNN_TYPE_NUMERICAL_NOTE, 0, kMany, false}}}},
      {CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, {{CUDNN_ATTR_ENGINECFG_ENGINE, {kDescriptor, 1, 1}}}},
      {CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR,
       {{CUDNN_ATTR_EXECUTION_PLAN_HANDLE, {CUDNN_TYPE_HANDLE, 1, 1}},
        {CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, {kDescriptor, 1, 1}},
        {CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, {kNumber, 0, 1, false}}}},
      {CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR,
       {{CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, {kNumber, 1, kMany}},
        {CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, {CUDNN_TYPE_VOID_PTR, 1, kMany}},
        {CUDNN_ATTR_VARIANT_PACK_WORKSPACE, {CUDNN_TYPE_VOID_PTR, 0, 1}}}},
  };
  return rules;
}

std::size_t bytes_of(Type type) {
  switch (type) {
    case CUDNN_TYPE_BOOLEAN:
      return sizeof(bool);
    case CUDNN_TYPE_INT64:
      return sizeof(std::int64_t);
    case CUDNN_TYPE_HANDLE:
      return sizeof(cudnnHandle_t);
    case CUDNN_TYPE_VOID_PTR:
      return sizeof(void*);
    default:
      return 4;  // floats and enumerations
  }
}

struct EnginePlan;

/// What a descriptor says. Others that mention it keep it alive, where its owner does not.
struct Content {
  struct Attribute {
    std::vector<char> bytes;                               // of values,
    std::vector<std::shared_ptr<const Content>> contents;  // or other descriptors
    std::int64_t count = 0;
  };

  explicit Content(Kind kind_of_descriptor) : kind(kind_of_descriptor) {}

  bool has(Name name) const { return attributes.contains(name); }
  const Content& content(Name name) const { return *attributes.at(name).contents.at(0); }
  template <class Value>
  std::vector<Value> values(Name name) const {
    const Attribute& attribute = attributes.at(name);
    std::vector<Value> result(std::size_t(attribute.count));
    std::memcpy(result.data(), attribute.bytes.data(), attribute.bytes.size());
    return result;
  }
  template <class Value>
  Value value(Name name) const {
    Value result;
    std::memcpy(&result, attributes.at(name).bytes.data(), sizeof result);
    return result;
  }

  template <class Value>
  void put(Name name, const std::vector<Value>& values) {
    const auto* first = reinterpret_cast<const char*>(values.data());
    attributes[name] = {{first, first + values.size() * sizeof(Value)}, {}, std::ssize(values)};
  }
  void put(Name name, std::vector<std::shared_ptr<const Content>> contents) {
    const std::int64_t count = std::ssize(contents);
    attributes[name] = {{}, std::move(contents), count};
  }

  const Kind kind;
  bool finalized = false;
  std::map<Name, Attribute> attributes;
  std::shared_ptr<const EnginePlan> plan;
};

/// What a caller's descriptor points to.
using Descriptor = std::shared_ptr<const Content>;

Descriptor& descriptor_at(cudnnBackendDescriptor_t handle) {
  return *static_cast<Descriptor*>(handle);
}

// ---- What they say ----

using Four = std::array<std::int64_t, 4>;  // of N, C, H, W, or of K, C, R, S

struct Tensor {
  Tensor() = default;
  explicit Tensor(const Content& c)
      : name(c.value<std::int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID)),
        alignment(c.value<std::int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT)),
        type(c.value<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE)),
        dims(c.value<Four>(CUDNN_ATTR_TENSOR_DIMENSIONS)),
        strides(c.value<Four>(CUDNN_ATTR_TENSOR_STRIDES)),
        is_virtual(c.has(CUDNN_ATTR_TENSOR_IS_VIRTUAL) &&
                   c.value<bool>(CUDNN_ATTR_TENSOR_IS_VIRTUAL)) {}

  bool channels_last() const { return strides[1] == 1 && dims[1] > 1; }
  std::size_t count() const { return std::size_t(dims[0] * dims[1] * dims[2] * dims[3]); }
  std::int64_t value_bytes() const { return type == CUDNN_DATA_BFLOAT16 ? 2 : 4; }

  std::int64_t name = 0, alignment = 0;
  cudnnDataType_t type{};
  Four dims{}, strides{};
  bool is_virtual = false;
};

enum class Role { forward, data, filter };

/// A convolution, what is done to its result, and by which engine.
struct EnginePlan {
  Role role{};
  float alpha = 1, beta = 0;
  std::array<std::int64_t, 2> pad{}, stride{1, 1};  // of height and width
  Tensor x, w, y;                                   // of the convolution, or of gradients of these
  bool has_bias = false, has_relu = false, keeps_nans = false;
  Tensor bias;
  Tensor result;
  std::int64_t engine = 0;

  std::int64_t samples() const { return x.dims[0]; }
  std::int64_t groups() const { return x.dims[1] / w.dims[1]; }
  std::int64_t pixels() const { return samples() * y.dims[2] * y.dims[3]; }
  std::int64_t patch() const { return w.dims[1] * w.dims[2] * w.dims[3]; }
  std::vector<Tensor> arguments() const {
    std::vector<Tensor> all{x, w, result};
    if (role == Role::data) all = {result, w, y};
    if (role == Role::filter) all = {x, result, y};
    if (has_bias) all.push_back(bias);
    return all;
  }
};

enum Engine : std::int64_t { kNondeterministic, kRefusing, kTensorCores, kExact };

std::array<std::atomic<double>, kExact + 1> delays;  // seconds
std::array<std::atomic<bool>, kExact + 1> spoilt;

std::array<std::atomic<std::int64_t>, kExact + 1> workspaces{1024, 2024, 3024, 4024};  // bytes
std::int64_t used_of(std::int64_t engine) {
  return 1000 * (engine + 1) + 24;
}

/// Into the plan, or why not.
cudnnStatus_t take_convolution(const Content& operation, EnginePlan& plan) {
  struct Names {
    Role role;
    Name alpha, beta, arithmetic, x, w, y;
  };
  const auto names = [&]() -> Names {
    switch (operation.kind) {
      case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
        return {Role::data,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY};
      case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
        return {Role::filter,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY};
      default:
        return {Role::forward,
                CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
                CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y};
    }
  }();
  const Content& arithmetic = operation.content(names.arithmetic);
  if (arithmetic.kind != CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR) {
    return refuse(CUDNN_STATUS_BAD_PARAM, "a convolution that is described by something else");
  }
  plan.role = names.role;
  plan.alpha = operation.value<float>(names.alpha);
  plan.beta = operation.value<float>(names.beta);
  using Two = std::array<std::int64_t, 2>;
  plan.pad = arithmetic.value<Two>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS);
  plan.stride = arithmetic.value<Two>(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES);
  for (const auto& [tensor, name] :
       {std::pair{&plan.x, names.x}, {&plan.w, names.w}, {&plan.y, names.y}}) {
    const Content& content = operation.content(name);
    if (content.kind != CUDNN_BACKEND_TENSOR_DESCRIPTOR) {
      return refuse(CUDNN_STATUS_BAD_PARAM, "a convolution of something else than tensors");
    }
    *tensor = Tensor(content);
  }
  plan.result = names.role == Role::forward ? plan.y : names.role == Role::data ? plan.x : plan.w;
  const Four &x = plan.x.dims, &w = plan.w.dims, &y = plan.y.dims;
  const auto shrinks = [&](std::size_t d) {
    const std::int64_t room = x[d] + 2 * plan.pad[d - 2] - w[d];
    return room >= 0 && y[d] == room / plan.stride[d - 2] + 1;
  };
  const bool has_groups = x[1] % w[1] == 0 && w[0] % (x[1] / w[1]) == 0;
  if (x[0] != y[0] || !has_groups || w[0] != y[1] || !shrinks(2) || !shrinks(3)) {
    return refuse(CUDNN_STATUS_BAD_PARAM, "a convolution of shapes that do not fit");
  }
  return CUDNN_STATUS_SUCCESS;
}

/// After what the plan does so far.
cudnnStatus_t take_pointwise(const Content& operation, EnginePlan& plan) {
  const Content& how = operation.content(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR);
  const Tensor x(operation.content(CUDNN_ATTR_OPERATION_POINTWISE_XDESC));
  const Tensor y(operation.content(CUDNN_ATTR_OPERATION_POINTWISE_YDESC));
  const bool adds = operation.has(CUDNN_ATTR_OPERATION_POINTWISE_BDESC);
  if (x.name != plan.result.name || !x.is_virtual) {
    return refuse(CUDNN_STATUS_NOT_SUPPORTED, "operations that are no chain");
  }
  if (x.type != CUDNN_DATA_FLOAT) {
    return refuse(CUDNN_STATUS_NOT_SUPPORTED, "a virtual tensor that is not of floats");
  }
  if (plan.role != Role::forward || plan.alpha != 1 || plan.beta != 0 || plan.has_relu ||
      plan.has_bias == adds) {
    return refuse(CUDNN_STATUS_NOT_SUPPORTED, "a chain with no engine");
  }
  if (adds) {
    plan.has_bias = true;
    plan.bias = Tensor(operation.content(CUDNN_ATTR_OPERATION_POINTWISE_BDESC));
    if (plan.bias.dims != Four{1, y.dims[1], 1, 1} || plan.bias.is_virtual) {
      return refuse(CUDNN_STATUS_NOT_SUPPORTED, "a bias that is not [1][K][1][1]");
    }
  } else {
    plan.has_relu = true;
    plan.keeps_nans = how.has(kNanPropagation) &&
                      how.value<cudnnNanPropagation_t>(kNanPropagation) == CUDNN_PROPAGATE_NAN;
  }
  const auto mode = how.value<cudnnPointwiseMode_t>(CUDNN_ATTR_POINTWISE_MODE);
  if (mode != (adds ? CUDNN_POINTWISE_ADD : CUDNN_POINTWISE_RELU_FWD)) {
    return refuse(CUDNN_STATUS_BAD_PARAM, "another number of tensors than the operation takes");
  }
  if (y.dims != x.dims) return refuse(CUDNN_STATUS_BAD_PARAM, "a result of another shape");
  plan.result = y;
  return CUDNN_STATUS_SUCCESS;
}

bool is_convolution(const Content& operation) {
  return operation.kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR ||
         operation.kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR ||
         operation.kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR;
}

/// Whether there is an engine at all is another question.
cudnnStatus_t take_graph(const Content& graph, EnginePlan& plan) {
  const auto& operations = graph.attributes.at(CUDNN_ATTR_OPERATIONGRAPH_OPS).contents;
  if (!is_convolution(*operations[0])) {
    return refuse(CUDNN_STATUS_NOT_SUPPORTED, "a graph that does not begin with a convolution");
  }
  cudnnStatus_t answer = take_convolution(*operations[0], plan);
  for (std::size_t i = 1; i < operations.size() && answer == CUDNN_STATUS_SUCCESS; ++i) {
    if (operations[i]->kind != CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR) {
      return refuse(CUDNN_STATUS_NOT_SUPPORTED, "a graph of several convolutions");
    }
    answer = take_pointwise(*operations[i], plan);
  }
  if (answer != CUDNN_STATUS_SUCCESS) return answer;
  std::vector<std::int64_t> names;
  for (const Tensor& tensor : plan.arguments()) {
    if (tensor.is_virtual) return refuse(CUDNN_STATUS_BAD_PARAM, "a virtual tensor with no place");
    names.push_back(tensor.name);
  }
  std::ranges::sort(names);
  if (std::ranges::adjacent_find(names) != names.end()) {
    return refuse(CUDNN_STATUS_BAD_PARAM, "two tensors of one name");
  }
  return CUDNN_STATUS_SUCCESS;
}

bool has_engines(const EnginePlan& plan) {
  std::vector<cudnnDataType_t> types;
  for (const Tensor& tensor : plan.arguments()) {
    types.push_back(tensor.type);
  }
  return std::ranges::count(types, types[0]) == std::ssize(types);
}

/// Tensor cores take 16 bytes of channels at once, where channels are last.
bool has_whole_channels(const EnginePlan& plan) {
  const std::int64_t piece = 16 / plan.x.value_bytes();
  if (plan.groups() > 1) return true;
  if (plan.w.dims[0] % piece == 0 && plan.w.dims[1] % piece == 0) return true;
  return !plan.x.channels_last() && !plan.w.channels_last() && !plan.y.channels_last();
}

// ---- Finalize ----

cudnnStatus_t examine_tensor(const Content& content) {
  const Tensor t(content);
  if (t.type != CUDNN_DATA_FLOAT && t.type != CUDNN_DATA_BFLOAT16) {
    return refuse(CUDNN_STATUS_NOT_SUPPORTED, "a tensor that is neither of floats nor of bf16");
  }
  if (std::ranges::any_of(t.dims, [](std::int64_t d) { return d < 1; }) ||
      std::ranges::any_of(t.strides, [](std::int64_t s) { return s < 1; }) ||
      t.alignment < t.value_bytes() || (t.alignment & (t.alignment - 1)) != 0) {
    return refuse(CUDNN_STATUS_BAD_PARAM, "a tensor with no such shape or alignment");
  }
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t examine_arithmetic(const Content& c) {
  using Two = std::array<std::int64_t, 2>;
  const auto pair = [&](Name name) { return c.value<Two>(name); };
  const Two pad = pair(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS);
  const Two stride = pair(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES);
  if (c.value<cudnnDataType_t>(CUDNN_ATTR_CONVOLUTION_COMP_TYPE) != CUDNN_DATA_FLOAT ||
      c.value<cudnnConvolutionMode_t>(CUDNN_ATTR_CONVOLUTION_CONV_MODE) !=
          CUDNN_CROSS_CORRELATION ||
      c.value<std::int64_t>(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS) != 2 ||
      pair(CUDNN_ATTR_CONVOLUTION_DILATIONS) != Two{1, 1} ||
      pair(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS) != pad) {
    return refuse(CUDNN_STATUS_NOT_SUPPORTED, "a convolution that is not known here");
  }
  if (std::min(pad[0], pad[1]) < 0 || std::min(stride[0], stride[1]) < 1)
    return refuse(CUDNN_STATUS_BAD_PARAM, "no such convolution");
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t examine_pointwise(const Content& c) {
  if (c.content(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR).kind !=
      CUDNN_BACKEND_POINTWISE_DESCRIPTOR) {
    return refuse(CUDNN_STATUS_BAD_PARAM, "a pointwise operation described by something else");
  }
  for (const Name name :
       {CUDNN_ATTR_OPERATION_POINTWISE_XDESC, CUDNN_ATTR_OPERATION_POINTWISE_BDESC,
        CUDNN_ATTR_OPERATION_POINTWISE_YDESC}) {
    if (c.has(name) && c.content(name).kind != CUDNN_BACKEND_TENSOR_DESCRIPTOR) {
      return refuse(CUDNN_STATUS_BAD_PARAM, "a pointwise operation on something else than tensors");
    }
  }
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t finalize_engine(Content& engine) {
  EnginePlan plan;
  const cudnnStatus_t answer = take_graph(engine.content(CUDNN_ATTR_ENGINE_OPERATION_GRAPH), plan);
  if (answer != CUDNN_STATUS_SUCCESS) return answer;
  const bool floats = plan.x.type == CUDNN_DATA_FLOAT;
  std::vector<cudnnBackendNumericalNote_t> notes;
  switch (engine.value<std::int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX)) {
    case kNondeterministic:
      notes = {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC};
      break;
    case kRefusing:
      break;
    case kTensorCores:
      notes = {CUDNN_NUMERICAL_NOTE_TENSOR_CORE};
      if (floats) notes.push_back(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS);
      break;
    case kExact:
      if (floats) break;
      [[fallthrough]];
    default:
      return refuse(CUDNN_STATUS_NOT_SUPPORTED, "no such engine");
  }
  engine.put(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, notes);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t finalize(Content& content);

cudnnStatus_t rank(Content& ranking) {
  const Descriptor graph = ranking.attributes.at(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH).contents[0];
  EnginePlan plan;
  if (graph->kind != CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR) {
    return refuse(CUDNN_STATUS_BAD_PARAM, "a ranking for something else than a graph");
  }
  const cudnnStatus_t answer = take_graph(*graph, plan);
  if (answer != CUDNN_STATUS_SUCCESS) return answer;
  std::vector<Descriptor> results;
  for (std::int64_t index = 0; index <= kExact && has_engines(plan); ++index) {
    const auto engine = std::make_shared<Content>(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    engine->put(CUDNN_ATTR_ENGINE_OPERATION_GRAPH, {graph});
    engine->put(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, std::vector{index});
    if (finalize(*engine) != CUDNN_STATUS_SUCCESS) continue;
    const auto configuration = std::make_shared<Content>(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    configuration->put(CUDNN_ATTR_ENGINECFG_ENGINE, {engine});
    finalize(*configuration);
    results.push_back(configuration);
  }
  ranking.put(CUDNN_ATTR_ENGINEHEUR_RESULTS, std::move(results));
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t make_plan(Content& content) {
  const Content& configuration = content.content(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
  if (configuration.kind != CUDNN_BACKEND_ENGINECFG_DESCRIPTOR) {
    return refuse(CUDNN_STATUS_BAD_PARAM, "a plan for something else than an engine");
  }
  const Content& engine = configuration.content(CUDNN_ATTR_ENGINECFG_ENGINE);
  const auto plan = std::make_shared<EnginePlan>();
  const cudnnStatus_t answer = take_graph(engine.content(CUDNN_ATTR_ENGINE_OPERATION_GRAPH), *plan);
  if (answer != CUDNN_STATUS_SUCCESS) return answer;
  plan->engine = engine.value<std::int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX);
  if (!has_engines(*plan)) return refuse(CUDNN_STATUS_NOT_SUPPORTED, "tensors of several types");
  if (plan->engine == kRefusing) {
    return refuse(CUDNN_STATUS_NOT_SUPPORTED, "an engine that cannot do this");
  }
  if (plan->engine != kExact && !has_whole_channels(*plan)) {
    return refuse(CUDNN_STATUS_NOT_SUPPORTED, "channels that are not multiples of 16 bytes");
  }
  content.plan = plan;
  content.put(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
              std::vector{workspaces[std::size_t(plan->engine)].load()});
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t examine(Content& content) {
  EnginePlan plan;
  switch (content.kind) {
    case CUDNN_BACKEND_TENSOR_DESCRIPTOR:
      return examine_tensor(content);
    case CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR:
      return examine_arithmetic(content);
    case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR:
      return examine_pointwise(content);
    case CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR:
      return take_graph(content, plan);
    case CUDNN_BACKEND_ENGINE_DESCRIPTOR:
      return finalize_engine(content);
    case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR:
      return rank(content);
    case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR:
      return make_plan(content);
    default:
      return is_convolution(content) ? take_convolution(content, plan) : CUDNN_STATUS_SUCCESS;
  }
}

cudnnStatus_t finalize(Content& content) {
  for (const auto& [name, rule] : rules().at(content.kind)) {
    if (rule.given && rule.least > 0 && !content.has(name)) {
      return refuse(CUDNN_STATUS_BAD_PARAM, "a descriptor without an attribute that it needs");
    }
  }
  const cudnnStatus_t answer = examine(content);
  content.finalized = answer == CUDNN_STATUS_SUCCESS;
  return answer;
}

// ---- Execute ----

/// The values in order of N, H, W, C.
template <class Visit>
void for_each(const Tensor& t, const Visit& visit) {
  std::size_t i = 0;
  for (std::int64_t n = 0; n < t.dims[0]; ++n) {
    for (std::int64_t h = 0; h < t.dims[2]; ++h) {
      for (std::int64_t w = 0; w < t.dims[3]; ++w) {
        const std::int64_t at = n * t.strides[0] + h * t.strides[2] + w * t.strides[3];
        for (std::int64_t c = 0; c < t.dims[1]; ++c) visit(i++, at + c * t.strides[1]);
      }
    }
  }
}

std::vector<float> read(const Tensor& tensor, const void* data, bool rounded) {
  std::vector<float> values(tensor.count());
  if (tensor.type == CUDNN_DATA_BFLOAT16) {
    for_each(tensor, [&, from = static_cast<const Bf16*>(data)](std::size_t i, std::int64_t at) {
      values[i] = float(from[at]);
    });
  } else {
    for_each(tensor, [&, from = static_cast<const float*>(data)](std::size_t i, std::int64_t at) {
      values[i] = from[at];
    });
  }
  if (rounded) std::ranges::transform(values, values.begin(), easgd::fake_cuda::to_tf32);
  return values;
}

void write(const Tensor& tensor, const std::vector<float>& values, void* data) {
  if (tensor.type == CUDNN_DATA_BFLOAT16) {
    for_each(tensor, [&, to = static_cast<Bf16*>(data)](std::size_t i, std::int64_t at) {
      to[at] = Bf16(values[i]);
    });
  } else {
    for_each(tensor, [&, to = static_cast<float*>(data)](std::size_t i, std::int64_t at) {
      to[at] = values[i];
    });
  }
}

/// visit(place in [N*P*Q][R*S*C], place in [N][H][W][C]) for each C values of a patch that are not
/// padding.
template <class Visit>
void for_each_piece(const EnginePlan& plan, const Visit& visit) {
  const auto [samples, channels, height, width] = plan.x.dims;
  const std::int64_t rows = plan.w.dims[2], columns = plan.w.dims[3];
  std::int64_t patch = 0;
  for (std::int64_t n = 0; n < samples; ++n) {
    for (std::int64_t p = 0; p < plan.y.dims[2]; ++p) {
      for (std::int64_t q = 0; q < plan.y.dims[3]; ++q, ++patch) {
        for (std::int64_t r = 0; r < rows; ++r) {
          for (std::int64_t s = 0; s < columns; ++s) {
            const std::int64_t h = p * plan.stride[0] - plan.pad[0] + r;
            const std::int64_t w = q * plan.stride[1] - plan.pad[1] + s;
            if (h < 0 || w < 0 || h >= height || w >= width) continue;
            visit(((patch * rows + r) * columns + s) * channels,
                  ((n * height + h) * width + w) * channels);
          }
        }
      }
    }
  }
}

std::vector<float> patches_of(const EnginePlan& plan, const std::vector<float>& x) {
  std::vector<float> patches(std::size_t(plan.pixels() * plan.patch()));
  for_each_piece(plan, [&, channels = plan.x.dims[1]](std::int64_t to, std::int64_t from) {
    std::copy_n(x.data() + from, channels, patches.data() + to);
  });
  return patches;
}

/// Of the tensor `plan.result`, in order of N, H, W, C, from the other two.
std::vector<float> convolve(const EnginePlan& plan, const std::vector<float>& x,
                            const std::vector<float>& w, const std::vector<float>& y) {
  const std::int64_t outputs = plan.w.dims[0], pixels = plan.pixels(), patch = plan.patch();
  const auto size = [](std::int64_t rows, std::int64_t columns, std::int64_t depth) {
    return easgd::fake_cuda::ProductSize{std::size_t(rows), std::size_t(columns),
                                         std::size_t(depth)};
  };
  std::vector<float> result(plan.role == Role::forward ? plan.y.count() : plan.result.count());
  if (plan.role == Role::forward) {
    const std::vector<float> patches = patches_of(plan, x);
    add_product(result.data(), {patches.data(), patch, 1}, {w.data(), 1, patch},
                size(pixels, outputs, patch));
  } else if (plan.role == Role::data) {
    std::vector<float> patches(std::size_t(pixels * patch));
    add_product(patches.data(), {y.data(), outputs, 1}, {w.data(), patch, 1},
                size(pixels, patch, outputs));
    for_each_piece(plan, [&, channels = plan.x.dims[1]](std::int64_t from, std::int64_t to) {
      for (std::int64_t c = 0; c < channels; ++c) {
        result[std::size_t(to + c)] += patches[std::size_t(from + c)];
      }
    });
  } else {
    const std::vector<float> patches = patches_of(plan, x);
    add_product(result.data(), {y.data(), 1, outputs}, {patches.data(), patch, 1},
                size(outputs, patch, pixels));
  }
  return result;
}

/// Channels of values that lie with channels last: rows of `all`, of which those from `first` on.
struct Channels {
  std::size_t all, first, count;
};

std::vector<float> take(const std::vector<float>& values, Channels c) {
  std::vector<float> taken;
  for (std::size_t row = 0; row < values.size(); row += c.all) {
    const auto from = values.begin() + std::ptrdiff_t(row + c.first);
    taken.insert(taken.end(), from, from + std::ptrdiff_t(c.count));
  }
  return taken;
}

void put(const std::vector<float>& values, std::vector<float>& into, Channels c) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    into[i / c.count * c.all + c.first + i % c.count] = values[i];
  }
}

/// Group by group. A filter's group is one row after the other, as if all its values were channels.
std::vector<float> convolve_groups(const EnginePlan& plan, const std::vector<float>& x,
                                   const std::vector<float>& w, const std::vector<float>& y) {
  const auto groups = std::size_t(plan.groups());
  if (groups == 1) return convolve(plan, x, w, y);
  EnginePlan one = plan;
  one.x.dims[1] = plan.w.dims[1];
  one.w.dims[0] /= plan.groups();
  one.y.dims[1] /= plan.groups();
  one.result = plan.role == Role::forward ? one.y : plan.role == Role::data ? one.x : one.w;
  std::vector<float> result(plan.role == Role::forward ? plan.y.count() : plan.result.count());
  for (std::size_t g = 0; g < groups; ++g) {
    const auto part = [&](std::int64_t channels) {
      const auto count = std::size_t(channels) / groups;
      return Channels{std::size_t(channels), g * count, count};
    };
    const Channels of_x = part(plan.x.dims[1]), of_y = part(plan.y.dims[1]);
    const Channels of_w = part(std::int64_t(plan.w.count()));
    const Channels of_result = plan.role == Role::forward ? of_y
                               : plan.role == Role::data  ? of_x
                                                          : of_w;
    put(convolve(one, take(x, of_x), take(w, of_w), take(y, of_y)), result, of_result);
  }
  return result;
}

struct Operands {
  void *x, *w, *y, *bias, *result, *workspace;
};

void execute(const EnginePlan& plan, const Operands& operands) {
  std::this_thread::sleep_for(
      std::chrono::duration<double>(delays[std::size_t(plan.engine)].load()));
  std::memset(operands.workspace, 0xFF, std::size_t(used_of(plan.engine)));
  const bool rounded = plan.engine == kTensorCores && plan.x.type == CUDNN_DATA_FLOAT;
  const auto input = [&](Role made_by, const Tensor& tensor, const void* data) {
    return plan.role == made_by ? std::vector<float>() : read(tensor, data, rounded);
  };
  std::vector<float> values = convolve_groups(plan, input(Role::data, plan.x, operands.x),
                                              input(Role::filter, plan.w, operands.w),
                                              input(Role::forward, plan.y, operands.y));
  if (plan.alpha != 1) {
    for (float& value : values) value *= plan.alpha;
  }
  if (plan.beta != 0) {
    const std::vector<float> before = read(plan.result, operands.result, false);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += plan.beta * before[i];
  }
  if (plan.has_bias) {
    const std::vector<float> bias = read(plan.bias, operands.bias, false);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += bias[i % bias.size()];
  }
  if (plan.has_relu) {
    for (float& value : values) {
      if (value < 0 || (std::isnan(value) && !plan.keeps_nans)) value = 0;
    }
  }
  if (plan.engine == kNondeterministic) {
    std::ranges::fill(values, std::numeric_limits<float>::quiet_NaN());
  }
  write(plan.result, values, operands.result);
}

}  // namespace

void easgd::fake_cuda::want_workspace(int engine, std::int64_t bytes) {
  workspaces[std::size_t(engine)] = bytes;
}

void easgd::fake_cuda::spoil(int engine, bool is) {
  spoilt[std::size_t(engine)] = is;
}

void easgd::fake_cuda::slow_down(int engine, double seconds) {
  delays[std::size_t(engine)] = seconds;
}

const char* cudnnGetErrorString(cudnnStatus_t) {
  return "CUDNN_STATUS_OF_A_STAND_IN";
}
void cudnnGetLastErrorString(char* message, std::size_t size) {
  if (size == 0) return;
  std::strncpy(message, reason, size - 1);
  message[size - 1] = 0;
}

std::size_t cudnnGetVersion() {
  return 1;
}
cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  *handle = new cudnnContext;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  delete handle;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnGetStream(cudnnHandle_t handle, cudaStream_t* stream) {
  *stream = handle->stream;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendCreateDescriptor(Kind kind, cudnnBackendDescriptor_t* descriptor) {
  if (!rules().contains(kind)) {
    return refuse(CUDNN_STATUS_NOT_SUPPORTED, "a kind of descriptor that is not known here");
  }
  *descriptor = new Descriptor(std::make_shared<Content>(kind));
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
  delete &descriptor_at(descriptor);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor, Name name, Type type,
                                       std::int64_t count, const void* values) {
  // Nobody else looks at it before it is finalized.
  auto& content = const_cast<Content&>(*descriptor_at(descriptor));
  if (content.finalized) return refuse(CUDNN_STATUS_BAD_PARAM, "a change of what is finalized");
  const auto& known = rules().at(content.kind);
  const auto rule = known.find(name);
  if (rule == known.end() || !rule->second.given) {
    return refuse(CUDNN_STATUS_BAD_PARAM, "an attribute that this kind of descriptor has not");
  }
  if (type != rule->second.type || !values ||
      count < std::max<std::int64_t>(1, rule->second.least) || count > rule->second.most) {
    return refuse(CUDNN_STATUS_BAD_PARAM, "an attribute of another type or count");
  }
  if (type != CUDNN_TYPE_BACKEND_DESCRIPTOR) {
    const auto* first = static_cast<const char*>(values);
    content.attributes[name] = {{first, first + std::size_t(count) * bytes_of(type)}, {}, count};
    return CUDNN_STATUS_SUCCESS;
  }
  std::vector<Descriptor> others;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto other = static_cast<const cudnnBackendDescriptor_t*>(values)[i];
    if (!other || !descriptor_at(other)->finalized) {
      return refuse(CUDNN_STATUS_BAD_PARAM, "an attribute that is not finalized");
    }
    others.push_back(descriptor_at(other));
  }
  content.put(name, std::move(others));
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor) {
  auto& content = const_cast<Content&>(*descriptor_at(descriptor));
  if (content.finalized) return refuse(CUDNN_STATUS_BAD_PARAM, "finalized twice");
  return finalize(content);
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t descriptor, Name name, Type type,
                                       std::int64_t wanted, std::int64_t* count, void* values) {
  const Content& content = *descriptor_at(descriptor);
  if (!content.finalized || !content.has(name)) {
    return refuse(CUDNN_STATUS_BAD_PARAM, "an attribute that is not there, or not yet");
  }
  if (type != rules().at(content.kind).at(name).type) {
    return refuse(CUDNN_STATUS_BAD_PARAM, "an attribute of another type");
  }
  const Content::Attribute& attribute = content.attributes.at(name);
  if (count) *count = attribute.count;
  const std::int64_t copied = values ? std::min(wanted, attribute.count) : 0;
  // As cuDNN does: it promises more than it then finds.
  constexpr std::int64_t kPromised = 3;
  if (name == CUDNN_ATTR_ENGINEHEUR_RESULTS && wanted == 0 && count) *count += kPromised;
  if (copied == 0) return CUDNN_STATUS_SUCCESS;
  if (type != CUDNN_TYPE_BACKEND_DESCRIPTOR) {
    std::memcpy(values, attribute.bytes.data(), std::size_t(copied) * bytes_of(type));
    return CUDNN_STATUS_SUCCESS;
  }
  for (std::int64_t i = 0; i < copied; ++i) {
    const auto place = static_cast<cudnnBackendDescriptor_t*>(values)[i];
    const Descriptor& found = attribute.contents[std::size_t(i)];
    if (!place || descriptor_at(place)->kind != found->kind || descriptor_at(place)->finalized) {
      return refuse(CUDNN_STATUS_BAD_PARAM, "no fresh descriptor of that kind to fill");
    }
    descriptor_at(place) = found;
  }
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan_descriptor,
                                  cudnnBackendDescriptor_t variant_pack) {
  const std::shared_ptr<const EnginePlan> plan = descriptor_at(plan_descriptor)->plan;
  const Content& pack = *descriptor_at(variant_pack);
  if (!plan || pack.kind != CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR || !pack.finalized) {
    return refuse(CUDNN_STATUS_BAD_PARAM, "a plan or a variant pack that is not finalized");
  }
  if (spoilt[std::size_t(plan->engine)]) {
    return refuse(CUDNN_STATUS_EXECUTION_FAILED, "a plan that does not run");
  }
  const auto names = pack.values<std::int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const auto pointers = pack.values<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  if (names.size() != pointers.size()) {
    return refuse(CUDNN_STATUS_BAD_PARAM, "another number of names than of pointers");
  }
  std::map<std::int64_t, void*> place_of;
  for (std::size_t i = 0; i < names.size(); ++i) place_of[names[i]] = pointers[i];
  for (const Tensor& tensor : plan->arguments()) {
    const auto place = place_of.find(tensor.name);
    if (place == place_of.end() || !place->second) {
      return refuse(CUDNN_STATUS_BAD_PARAM, "a tensor with no data");
    }
    if (reinterpret_cast<std::uintptr_t>(place->second) % std::uintptr_t(tensor.alignment) != 0) {
      return refuse(CUDNN_STATUS_BAD_PARAM, "a tensor that is not aligned as was promised");
    }
  }
  void* workspace = pack.has(CUDNN_ATTR_VARIANT_PACK_WORKSPACE)
                        ? pack.value<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE)
                        : nullptr;
  if (!workspace) return refuse(CUDNN_STATUS_BAD_PARAM, "no workspace");
  if (!handle->stream) return refuse(CUDNN_STATUS_BAD_PARAM, "no stream");
  const auto find = [&](const Tensor& tensor) {
    const auto place = place_of.find(tensor.name);
    return place == place_of.end() ? nullptr : place->second;
  };
  const Operands operands{find(plan->x),      find(plan->w),
                          find(plan->y),      plan->has_bias ? find(plan->bias) : nullptr,
                          find(plan->result), workspace};
  easgd::fake_cuda::enqueue(handle->stream, [plan, operands] { execute(*plan, operands); });
  return CUDNN_STATUS_SUCCESS;
}
