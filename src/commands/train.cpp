#include "commands/commands.h"
#include "train/trainer.h"

namespace easgd {

ExitCode train_command(const std::string& config, const std::vector<std::string>& overrides,
                       const std::string& out) {
  return train(load_config(config, overrides), out);
}

}  // namespace easgd
