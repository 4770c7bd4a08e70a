#include "base/write_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/error.h"

namespace easgd {

void write_file(const std::filesystem::path& path, const std::function<void(std::ostream&)>& fill) {
  const std::filesystem::path beside = path.string() + ".new";
  std::ofstream stream(beside, std::ios::binary | std::ios::trunc);
  fill(stream);
  stream.close();
  std::string why = stream ? "" : std::strerror(errno);
  std::error_code error;
  if (stream) std::filesystem::rename(beside, path, error);
  if (stream && !error) return;
  if (error) why = error.message();
  std::filesystem::remove(beside, error);
  throw DataError(fmt::format("{}: cannot be written: {}", path.string(), why));
}

}  // namespace easgd
