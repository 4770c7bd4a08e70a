// The commands of the program, one file each. Each declares its options in `app`, and there sets
// `result` once it has run.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace CLI {
class App;
}

namespace easgd {

/// easgd train: see train/trainer.h.
void declare_train(CLI::App& app, ExitCode& result);

/// easgd sweep: the runs of a study. See sweep/supervisor.h.
void declare_sweep(CLI::App& app, ExitCode& result);

/// easgd evaluate: loss and error of a run folder or of a safetensors file over the test set. Data
/// and network come from the folder's config.toml or, for a file, from the configuration it
/// carries; --config replaces either. The result is `data`, after the figures, if the center or its
/// loss is not finite.
void declare_evaluate(CLI::App& app, ExitCode& result);

/// easgd predict: classes of pictures with their probabilities. Network and classes come from the
/// run folder or safetensors file, as in `evaluate`. Of a picture that cannot be decoded a line
/// says why, and the result is then `data`.
void declare_predict(CLI::App& app, ExitCode& result);

/// easgd report: a page and tables that compare runs. See docs/report.md.
void declare_report(CLI::App& app, ExitCode& result);

/// easgd describe: layers, shapes, parameters, FLOPs and memory of a configuration.
void declare_describe(CLI::App& app, ExitCode& result);

/// easgd devices: the cores and the CUDA devices that this process can use, or why it has none.
void declare_devices(CLI::App& app, ExitCode& result);

/// easgd locate: where a data set would be read from. The result is `data` if it is not
/// found.
void declare_locate(CLI::App& app, ExitCode& result);

/// easgd pack: pictures of a folder, put into a few large files; or, with --check, these looked at.
/// The result is `data` if some are damaged.
void declare_pack(CLI::App& app, ExitCode& result);

/// easgd stability: the paper's and the thesis's analysis, in subcommands of its own.
void declare_stability(CLI::App& app, ExitCode& result);

/// easgd fingerprint: a number for what each method computes.
void declare_fingerprint(CLI::App& app, ExitCode& result);

/// easgd help: the list of commands, or every key of a configuration.
void declare_help(CLI::App& app, ExitCode& result);

/// --set, of the commands that read a configuration.
void declare_overrides(CLI::App& command, std::vector<std::string>& overrides);

}  // namespace easgd
