#include "data/path_status.h"

#include "base/error.h"
#include "base/reason.h"

namespace easgd {

namespace fs = std::filesystem;

PathStatus status_of(const fs::path& path) {
  PathStatus status{};
  status.type = fs::status(path, status.error).type();
  return status;
}

void cannot_examine(const fs::path& path, const std::error_code& error) {
  throw DataError(path.string() + ": cannot be examined: " + reason(error.value()));
}

std::string dangling_link(const fs::path& path) {
  std::error_code error;
  const fs::path to = fs::read_symlink(path, error);
  return error ? "" : " a link to " + to.string() + ", which is not there";
}

void not_a_file(const fs::path& path, const PathStatus& status) {
  if (status.is(fs::file_type::none)) cannot_examine(path, status.error);
  if (status.is(fs::file_type::not_found))
    throw DataError(path.string() + ":" + dangling_link(path));
  throw DataError(path.string() + (status.is(fs::file_type::directory)
                                       ? ": expected a file, found a folder"
                                       : ": expected a file, found something that is neither file "
                                         "nor folder"));
}

}  // namespace easgd
