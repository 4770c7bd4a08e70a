// easgd: arguments -> command -> exit code.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <new>
#include <span>
#include <system_error>

#include "base/error.h"
#include "base/standard_output.h"
#include "commands/commands.h"
#include "commands/mistyped.h"

namespace {

using easgd::ExitCode;

void declare(CLI::App& app, ExitCode& result) {
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 done, 1 bug, 2 configuration, 3 data (files, full disks), 4 device,\n"
      "130 interrupted after saving, 131 interrupted once more, without waiting");
  app.set_help_flag("-h,--help", "this text");
  app.set_version_flag("--version", "easgd " EASGD_VERSION);
  easgd::declare_train(app, result);
  easgd::declare_evaluate(app, result);
  easgd::declare_describe(app, result);
  easgd::declare_devices(app, result);
  easgd::declare_locate(app, result);
  easgd::declare_stability(app, result);
  easgd::declare_fingerprint(app, result);
  easgd::declare_help(app, result);
}

int fail(ExitCode code, const char* line) {
  std::fputs(fmt::format("easgd: {}\n", line).c_str(), stderr);
  return int(code);
}

}  // namespace

/// Called by the launcher (launcher.cpp).
extern "C" int easgd_main(int argc, char** argv) try {
  CLI::App app("Elastic Averaging SGD on one machine", "easgd");
  ExitCode result = ExitCode::done;
  declare(app, result);
  try {
    if (argc < 2) {
      std::fputs(app.help().c_str(), stderr);
      return int(ExitCode::configuration);
    }
    std::signal(SIGXFSZ, SIG_IGN);  // a limit on files is a failure of the write, like a full disk
    easgd::check_command(app, std::span(argv + 1, argv + argc));
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    app.exit(success);
  } catch (const CLI::ExtrasError&) {
    return fail(ExitCode::configuration, easgd::complaint_about_extras(app).c_str());
  } catch (const CLI::ParseError& error) {
    return fail(ExitCode::configuration, error.what());
  }
  easgd::finish_output();
  return int(result);
} catch (const easgd::Error& error) {
  return fail(error.exit_code(), error.what());
} catch (const std::bad_alloc&) {
  return fail(ExitCode::device,
              "cpu: out of memory; `easgd describe` shows what a network needs; "
              "use a smaller batch, network or set");
} catch (const std::filesystem::filesystem_error& error) {
  return fail(ExitCode::data, error.what());
} catch (const std::system_error& error) {
  if (error.code() != std::errc::resource_unavailable_try_again)
    return fail(ExitCode::bug, error.what());
  return fail(
      ExitCode::device,
      "cpu: the system lets this process have no further thread (`ulimit -u`, a container's "
      "limit on pids); use fewer workers, or workers.threads=1");
} catch (const std::exception& error) {
  return fail(ExitCode::bug, error.what());
}
