#include "runs/terminal_client.h"

#include "runs/live_view.h"
#include "runs/progress.h"

namespace easgd {

void TerminalClient::line(const std::string& text) {
  if (loudness_ == Loudness::all) write_line(text);
}

void TerminalClient::warn(const std::string& message) {
  write_line("warning: " + message);
}

void TerminalClient::show(const ProgressState& state) {
  using std::chrono::milliseconds;
  if (loudness_ != Loudness::all) return;
  const bool redraws = is_terminal();
  const TerminalSize size = redraws ? terminal_size() : size_;
  const auto now = Clock::now();
  if (now < next_ && size == size_) return;
  next_ = now + milliseconds(redraws ? 500 : 10000);
  size_ = size;
  if (redraws) {
    show_bottom_lines(live_view(state, {size.columns - 1, room_for_bottom_lines(size)}));
  } else {
    write_line(progress_text(state));
  }
}

}  // namespace easgd
