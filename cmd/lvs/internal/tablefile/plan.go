package tablefile

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/director"
	"go.yaml.in/yaml/v4"
)

// ErrNoPlan means that a text is not a saved plan.
var ErrNoPlan = errors.New("not a saved plan")

// DecodePlan returns the plan that a text of JSON or YAML has. The error matches
// [ErrNoPlan] for a text without steps, which only plans have, and for what is broken.
func DecodePlan(text []byte) (plan lvs.TablePlan, err error) {
	text = withoutMark(text)
	format := Format(text)
	if checkText(text, format) != nil {
		return plan, ErrNoPlan // Decode says what is wrong
	}
	switch format {
	case JSON:
		var has struct{ Steps json.RawMessage }
		if json.Unmarshal(text, &has) != nil || has.Steps == nil {
			return plan, ErrNoPlan
		}
		if err = json.Unmarshal(text, &plan); err == nil {
			return plan, nil
		}
	case YAML:
		if !bytes.Contains(text, []byte("steps")) {
			return plan, ErrNoPlan
		}
	default:
		return plan, ErrNoPlan
	}
	return placedPlan(text, err)
}

// placedPlan reads a plan as YAML, which JSON is too. The errors say where it is wrong. As
// JSON, it was wrong in the way that is given.
func placedPlan(text []byte, wrong error) (plan lvs.TablePlan, err error) {
	var root yaml.Node
	if err := yaml.Load(text, &root); err != nil || len(root.Content) == 0 || child(root.Content[0], "steps") == nil {
		if wrong == nil {
			wrong = ErrNoPlan
		}
		return plan, wrong
	}
	if wrong == nil {
		wrong = plan.UnmarshalYAML(root.Decode)
	}
	var bad *lvs.Error
	if errors.As(wrong, &bad) {
		n := find(root.Content[0], bad.Field)
		return plan, &director.FileError{Line: n.Line, Column: n.Column, Err: wrong}
	}
	return plan, wrong
}

// EncodePlan returns a text of JSON or YAML that [DecodePlan] reads.
func EncodePlan(plan lvs.TablePlan, format string) ([]byte, error) {
	if format == YAML {
		return yaml.Dump(plan)
	}
	text, err := json.MarshalIndent(plan, "", "  ")
	return append(text, '\n'), err
}
