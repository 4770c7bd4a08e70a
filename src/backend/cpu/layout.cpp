#include "backend/cpu/layout.h"

namespace easgd::cpu {

std::optional<Planes> planes_of(const memory::desc& desc) {
  using Tag = memory::format_tag;
  const memory::dims dims = desc.dims();
  const auto n = std::size_t(dims[0]), c = std::size_t(dims[1]);
  const Planes known[] = {
      {Tag::nchw, n * c, 0, 0, 1},
      {Tag::nChw8c, n * ((c + 7) / 8), 0, 0, 8},
      {Tag::nChw16c, n * ((c + 15) / 16), 0, 0, 16},
      {Tag::chwn, c, 0, 0, n},
      {Tag::nhwc, n, 0, 0, c},
  };
  for (Planes p : known) {
    if (memory::desc(dims, desc.data_type(), p.layout) != desc) continue;
    p.height = int(dims[2]);
    p.width = int(dims[3]);
    return p;
  }
  return std::nullopt;
}

}  // namespace easgd::cpu
