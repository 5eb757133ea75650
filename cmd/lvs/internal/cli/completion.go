package cli

import (
	"context"
	"io"
	"strings"
)

// completionCommand prints the scripts of shells.
func (p *Program) completionCommand() *Command {
	return &Command{
		Name: "completion", Brief: "print a script that completes commands in a shell",
		Doc: `The script asks the program what the next word may be: commands, flags and their
values, files, and the services and real servers that are in the table.

In the start-up file of bash, and of zsh behind compinit:

    source <(` + p.Name + ` completion bash)
    source <(` + p.Name + ` completion zsh)

For fish, once:

    ` + p.Name + ` completion fish > ~/.config/fish/completions/` + p.Name + `.fish`,
		Commands: []*Command{
			p.scriptCommand("bash", bashScript), p.scriptCommand("zsh", zshScript), p.scriptCommand("fish", fishScript),
		},
	}
}

func (p *Program) scriptCommand(shell, script string) *Command {
	return &Command{
		Name: shell, Brief: "print the script for " + shell,
		New: func() Action {
			return plainAction(func(_ context.Context, env *Env, _ []string) error {
				_, err := io.WriteString(env.Out, strings.NewReplacer("NAME", p.Name, "COMPLETE", completeName, "FILES", Files).Replace(script))
				return err
			})
		},
	}
}

// bashScript splits the line at spaces, because bash also splits words at the colons of
// services. What bash sees as the word begins behind the last such character. It has no
// process substitution, which needs /dev/fd.
const bashScript = `# Completion of NAME for bash.
_NAME() {
    local line=${COMP_LINE:0:COMP_POINT} words word part candidate
    read -r -a words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    word=${words[${#words[@]} - 1]}
    part=${word%"${word##*[:=]}"}
    [[ $COMP_WORDBREAKS == *:* ]] || part=
    COMPREPLY=()
    while IFS= read -r candidate; do
        if [[ $candidate == FILES ]]; then
            compopt -o filenames 2>/dev/null
            while IFS= read -r candidate; do
                [[ -z $candidate ]] || COMPREPLY+=("$candidate")
            done <<<"$(compgen -f -- "$word")"
            return
        fi
        [[ -n $candidate ]] || continue
        candidate=${candidate%%$'\t'*}
        COMPREPLY+=("${candidate#"$part"}")
    done <<<"$("${words[0]}" COMPLETE "${words[@]:1}" 2>/dev/null)"
}
complete -F _NAME NAME
`

const zshScript = `#compdef NAME
# Completion of NAME for zsh.
_NAME() {
    local line
    local -a values shown
    for line in "${(@f)$("${words[1]}" COMPLETE "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        if [[ $line == FILES ]]; then
            _files
            return
        fi
        [[ -n $line ]] || continue
        values+=("${line%%$'\t'*}")
        shown+=("${line/$'\t'/  -- }")
    done
    (( $#values )) && compadd -l -d shown -a values
}
if [[ $funcstack[1] == _NAME ]]; then
    _NAME "$@"
else
    compdef _NAME NAME
fi
`

const fishScript = `# Completion of NAME for fish.
function __NAME_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l found ($words[1] COMPLETE $words[2..-1] "$word" 2>/dev/null)
    if test "$found" = FILES
        __fish_complete_path "$word"
    else
        string join \n -- $found
    end
end
complete -c NAME -f -a '(__NAME_complete)'
`
