#include "exchange/center_placement.h"

#include "backend/backend_kind.h"

namespace easgd {

std::unique_ptr<Backend> make_host_backend() {
  return make_backend("cpu");
}

}  // namespace easgd
