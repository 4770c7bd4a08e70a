#include "backend/cpu/onednn.h"

#include <fmt/format.h>

namespace easgd::cpu {

Call::Call(dnnl::primitive primitive, const std::vector<std::pair<int, memory>>& arguments)
    : primitive_(std::move(primitive)) {
  for (const auto& [name, value] : arguments) {
    if (!value) continue;
    memories_.push_back(value);
    arguments_.push_back({name, value.get()});
  }
}

// Not dnnl::primitive::execute, which copies its map of arguments into a new vector at every call.
void Call::operator()(const dnnl::stream& stream) const {
  dnnl::error::wrap_c_api(dnnl_primitive_execute(primitive_.get(), stream.get(),
                                                 int(arguments_.size()), arguments_.data()),
                          "could not execute a primitive");
}

void throw_device_error(const dnnl::error& error) {
  const char* meaning = error.status == dnnl_out_of_memory   ? "out of memory"
                        : error.status == dnnl_unimplemented ? "not implemented on this processor"
                                                             : "failed";
  throw DeviceError(
      fmt::format("cpu: oneDNN: {} ({}, status {})", error.what(), meaning, int(error.status)));
}

}  // namespace easgd::cpu
