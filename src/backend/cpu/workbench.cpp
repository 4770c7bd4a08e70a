#include "backend/cpu/workbench.h"

#include <algorithm>
#include <limits>

#include "backend/cpu/precision.h"
#include "backend/cpu/storage.h"

namespace easgd::cpu {
namespace {

/// All of it is values.
bool is_dense(const memory::desc& desc) {
  std::size_t values = 1;
  for (const memory::dim size : desc.dims()) values *= std::size_t(size);
  return stored_elements(desc) == values;
}

}  // namespace

Workbench::Workbench(const Network& network, const ModelOptions& options, const Cut& cut)
    : network_(network),
      options_(options),
      cut_(cut),
      engine_(dnnl::engine::kind::cpu, 0),
      stream_(engine_),
      type_(options.precision == "bf16" ? memory::data_type::bf16 : memory::data_type::f32) {}

memory::dims Workbench::dims(Shape shape) const {
  return {memory::dim(options_.batch), shape.channels, shape.height, shape.width};
}

/// Small ones are cut from a part that is large enough for huge pages, a line more than needed:
/// those a power of two apart would share one cache set.
View Workbench::make_floats(std::size_t count) {
  [[maybe_unused]] constexpr std::size_t kPart = 2 * kHugeBuffer, kLine = 16;
  bytes_ += count * sizeof(float);
#if !defined(__SANITIZE_ADDRESS__)  // which watches the ends of what is allocated
  if (count < kHugeBuffer) {
    const std::size_t room = (count + 2 * kLine - 1) / kLine * kLine;
    if (part_.size() < room) part_ = buffers_.emplace_back(host_buffer(kPart));
    const View made = part_.first(count);
    part_ = part_.subspan(room);
    return made;
  }
#endif
  return buffers_.emplace_back(host_buffer(count));
}

/// The smallest that will do of those that were given back, if there is one. What lies beyond the
/// channels of a block is zero in every memory of a descriptor, and stays so.
memory Workbench::make(const memory::desc& desc) {
  const auto room = [this](const memory& m) { return rooms_.at(m.get_data_handle()); };
  const auto fits = [&](const memory& m) {
    const bool has_no_gaps = is_dense(desc) && is_dense(m.get_desc());
    return m.get_desc() == desc || (has_no_gaps && room(m) >= desc.get_size());
  };
  const auto found = std::ranges::min_element(unused_, {}, [&](const memory& m) {
    return fits(m) ? room(m) : std::numeric_limits<std::size_t>::max();
  });
  if (found != unused_.end() && fits(*found)) {
    const memory made(desc, engine_, found->get_data_handle());
    unused_.erase(found);
    return made;
  }
  return make_own(desc);
}

memory Workbench::make_own(const memory::desc& desc) {
  const std::size_t floats = (desc.get_size() + sizeof(float) - 1) / sizeof(float);
  const memory made(desc, engine_, make_floats(std::max<std::size_t>(floats, 1)).data());
  rooms_[made.get_data_handle()] = desc.get_size();
  return made;
}

memory Workbench::unbound(const memory::desc& desc) const {
  return memory(desc, engine_, DNNL_MEMORY_NONE);
}

dnnl::primitive_attr Workbench::attributes() const {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

std::pair<int, memory> Workbench::scratchpad(const dnnl::primitive_desc_base& descriptor) {
  scratchpads_.push_back(unbound(descriptor.scratchpad_desc()));
  return {DNNL_ARG_SCRATCHPAD, scratchpads_.back()};
}

void Workbench::finish() {
  std::size_t largest = 0;
  for (const memory& pad : scratchpads_) largest = std::max(largest, pad.get_desc().get_size());
  if (largest == 0) return;
  const View shared = make_floats((largest + sizeof(float) - 1) / sizeof(float));
  for (const memory& pad : scratchpads_) {
    if (pad.get_desc().get_size() > 0) pad.set_data_handle(shared.data());
  }
}

Converted::Converted(Workbench& bench, const memory& source, const memory::desc& wanted, bool copy)
    : target_(source) {
  if (source.get_desc() == wanted && !copy) return;
  target_ = source.get_data_handle() ? bench.make(wanted) : bench.make_own(wanted);
  copy_ = make_copy(bench, source, target_);
}

Call make_copy(Workbench& bench, const memory& source, const memory& target) {
  const dnnl::reorder::primitive_desc descriptor(bench.engine(), source.get_desc(), bench.engine(),
                                                 target.get_desc(), bench.attributes());
  return Call(dnnl::reorder(descriptor),
              {{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, target}, bench.scratchpad(descriptor)});
}

}  // namespace easgd::cpu
