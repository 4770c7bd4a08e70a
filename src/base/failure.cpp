#include "base/failure.h"

#include <filesystem>
#include <new>
#include <string_view>
#include <system_error>

#include "base/error.h"

namespace easgd {
namespace {

constexpr const char* kNoMemory =
    "cpu: out of memory; `easgd describe` shows what a network needs; use a smaller batch, network "
    "or set";
constexpr const char* kNoThread =
    "cpu: the system lets this process have no further thread (`ulimit -u`, a container's limit on "
    "pids)";

/// TBB's thread was refused, though those that were tried before the run were not.
bool is_lack_of_threads(const std::exception& error) {
  return std::string_view(error.what()).find("pthread_create") != std::string_view::npos;
}

}  // namespace

Failure failure_of(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& error) {
    return {error.exit_code(), error.what()};
  } catch (const std::bad_alloc&) {
    return {ExitCode::device, kNoMemory};
  } catch (const std::filesystem::filesystem_error& error) {
    return {ExitCode::data, error.what()};
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::resource_unavailable_try_again) {
      return {ExitCode::device, kNoThread};
    }
    return {ExitCode::bug, error.what()};
  } catch (const std::exception& error) {
    if (is_lack_of_threads(error)) return {ExitCode::device, kNoThread};
    return {ExitCode::bug, error.what()};
  } catch (...) {
    return {ExitCode::bug, "an exception of an unknown type"};
  }
}

}  // namespace easgd
