#include "runs/terminal.h"

namespace easgd {

void Terminal::line(const std::string& text) {
  Progress::line(text);
}

void Terminal::show(const ProgressState& state) {
  if (!progress_) progress_.emplace();
  progress_->show(state);
}

void Terminal::end() {
  progress_.reset();
}

}  // namespace easgd
