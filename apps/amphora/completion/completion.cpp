// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/completion/completion.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace amphora {

namespace {

std::string joined(std::vector<std::string> words) {
  std::sort(words.begin(), words.end());
  return fmt::format("{}", fmt::join(words, " "));
}

// "victron|tinybms" → "victron tinybms"; nothing for other type names.
std::string choices_of(const CLI::Option& option) {
  std::string text = option.get_type_name();
  text.resize(std::min(text.find(':'), text.size()));  // what a validator appends
  if (text.find('|') == std::string::npos) {
    return "";
  }
  std::replace(text.begin(), text.end(), '|', ' ');
  return text;
}

std::string case_of(const CLI::App& command, const std::string& path) {
  std::vector<std::string> words;
  std::string choices_after;
  for (const CLI::App* child : command.get_subcommands(nullptr)) {
    words.push_back(child->get_name());
  }
  for (const CLI::Option* option : command.get_options()) {
    const std::string choices = choices_of(*option);
    if (option->get_positional() && !choices.empty()) {
      words.push_back(choices);
    }
    for (const std::string& name : option->get_lnames()) {
      words.push_back("--" + name);
      if (!choices.empty()) {
        choices_after += fmt::format("        --{}) choices=\"{}\" ;;\n", name, choices);
      }
    }
  }
  std::string out = fmt::format("    \"{}\")\n      words=\"{}\"\n", path, joined(words));
  if (!choices_after.empty()) {
    out += fmt::format("      case \"$previous\" in\n{}      esac\n", choices_after);
  }
  return out + "      ;;\n";
}

void add_cases(const CLI::App& command, const std::string& path, std::string& cases, std::string& paths) {
  cases += case_of(command, path);
  for (const CLI::App* child : command.get_subcommands(nullptr)) {
    const std::string child_path = path + " " + child->get_name();
    paths += fmt::format("      \"{}\") path=\"{}\" ;;\n", child_path, child_path);
    add_cases(*child, child_path, cases, paths);
  }
}

}  // namespace

std::string bash_completion(const CLI::App& program) {
  std::string cases;
  std::string paths;
  add_cases(program, program.get_name(), cases, paths);
  return fmt::format(
      "# bash completion for {0}; printed by `{0} completion bash`\n"
      "_{0}() {{\n"
      "  local current=\"${{COMP_WORDS[COMP_CWORD]}}\" previous=\"${{COMP_WORDS[COMP_CWORD-1]}}\"\n"
      "  local path=\"{0}\" words=\"\" choices=\"\" i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case \"$path ${{COMP_WORDS[i]}}\" in\n"
      "{1}"
      "    esac\n"
      "  done\n"
      "  case \"$path\" in\n"
      "{2}"
      "  esac\n"
      "  [[ -n $choices ]] && words=$choices\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
      "}}\n"
      "complete -o default -F _{0} {0}\n",
      program.get_name(), paths, cases);
}

void add_completion(CLI::App& parent, Action& chosen) {
  CLI::App* command = add_command(parent, "completion", "Print a completion script for a shell.",
                                  "  source <(amphora completion bash)\n"
                                  "  amphora completion bash > /etc/bash_completion.d/amphora");
  auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "Which shell")
      ->required()
      ->check(CLI::IsMember({"bash"}))
      ->type_name("bash");
  // `shell` is captured because the option writes into it when the command line is read.
  command->callback([&chosen, &parent, shell] {
    chosen = [&parent, shell] {
      fmt::print("{}", bash_completion(parent));
      return kExitGood;
    };
  });
}

}  // namespace amphora
