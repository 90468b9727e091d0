#include "lab/sending.hpp"

#include <pthread.h>
#include <signal.h>

namespace vestibule::lab {

namespace {

using namespace std::chrono_literals;

constexpr int wake_up = SIGUSR1;

// A system call is interrupted only by a signal that has a handler.
void let_signals_interrupt() {
    struct sigaction action{};
    action.sa_handler = [](int) {};
    sigaction(wake_up, &action, nullptr);
}

void send_all(std::stop_token stop, const generator& from, const limits& within, clock::time_point start) {
    schedule s(within, start);
    while (const auto portion = s.next(from.sent())) {
        std::this_thread::sleep_until(portion->due);
        if (stop.stop_requested())
            return;
        if (portion->frames != 0)
            from.send(portion->frames, batch(within));
    }
}

} // namespace

sending::sending(const generator& from, const limits& within, clock::time_point start) {
    let_signals_interrupt();
    std::packaged_task<void(std::stop_token)> task(
        [&from, within, start](std::stop_token stop) { send_all(stop, from, within, start); });
    outcome_ = task.get_future();
    thread_ = std::jthread(std::move(task));
}

bool sending::ended() const {
    return outcome_.wait_for(0s) == std::future_status::ready;
}

void sending::stop() {
    thread_.request_stop();
    while (outcome_.wait_for(10ms) != std::future_status::ready)
        pthread_kill(thread_.native_handle(), wake_up); // again, in case the last came between two calls
    outcome_.get();
}

} // namespace vestibule::lab
