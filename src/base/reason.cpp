#include "base/reason.h"

#include <cerrno>
#include <cstring>

namespace easgd {

std::string reason(int error) {
  const std::string text = std::strerror(error);
  return error == EACCES || error == EPERM ? text + "; check its permissions" : text;
}

}  // namespace easgd
