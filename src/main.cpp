// easgd: arguments -> command -> exit code.

#include <execinfo.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <span>
#include <sstream>

#include "base/failure.h"
#include "base/one_line.h"
#include "base/standard_output.h"
#include "base/stray_threads.h"
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
  easgd::declare_sweep(app, result);
  easgd::declare_evaluate(app, result);
  easgd::declare_predict(app, result);
  easgd::declare_report(app, result);
  easgd::declare_describe(app, result);
  easgd::declare_devices(app, result);
  easgd::declare_locate(app, result);
  easgd::declare_pack(app, result);
  easgd::declare_stability(app, result);
  easgd::declare_fingerprint(app, result);
  easgd::declare_help(app, result);
}

int fail(ExitCode code, const char* line) {
  std::fputs(fmt::format("easgd: {}\n", easgd::in_one_line(line)).c_str(), stderr);
  return int(code);
}

int fail(const easgd::Failure& failure) {
  return fail(failure.code, failure.message.c_str());
}

/// Under threads that were given up nothing is taken away.
int leave(int code) {
  if (!easgd::has_stray_threads()) return code;
  std::fflush(nullptr);
  std::_Exit(code);
}

/// What nobody can catch, as an exception on a library's thread.
[[noreturn]] void end_at_once() {
  if (const std::exception_ptr error = std::current_exception()) fail(easgd::failure_of(error));
  std::_Exit(int(ExitCode::bug));
}

}  // namespace

/// Called by the launcher (launcher.cpp).
extern "C" int easgd_main(int argc, char** argv) try {
  // The C library looks for its unwinder when it first needs it; short of memory it aborts then.
  void* here = nullptr;
  backtrace(&here, 1);
  std::set_terminate(end_at_once);
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
    std::ostringstream text;
    app.exit(success, text, text);
    easgd::write_output(text.str());
  } catch (const CLI::ExtrasError&) {
    return fail(ExitCode::configuration, easgd::complaint_about_extras(app).c_str());
  } catch (const CLI::ParseError& error) {
    return fail(ExitCode::configuration, easgd::complaint_about(app, error).c_str());
  }
  easgd::finish_output();
  return leave(int(result));
} catch (...) {
  return leave(fail(easgd::failure_of(std::current_exception())));
}
