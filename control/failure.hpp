// The one kind of error that ends the program: what happened and what to do about it, in one line for the operator.
#pragma once

#include <stdexcept>
#include <string>

#include <fmt/format.h>

namespace vestibule {

class failure : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

template <class... Arguments>
[[noreturn]] void fail(fmt::format_string<Arguments...> text, Arguments&&... arguments) {
    throw failure(fmt::format(text, std::forward<Arguments>(arguments)...));
}

} // namespace vestibule
