package health

import (
	"reflect"
	"unicode/utf8"
)

// validateProbe refuses a probe that can never work. The field of its error begins with
// the type of the probe, such as "HTTP.Path", or is empty if there is none.
func validateProbe(p Probe) error {
	v := reflect.ValueOf(p)
	if !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return invalid("", "must be set")
	}
	own, ok := p.(interface{ validate() error })
	if !ok {
		return nil // of another package
	}
	v = reflect.Indirect(v)
	err := own.validate()
	if err == nil {
		err = validateText(v)
	}
	return within(v.Type().Name(), err)
}

// validateText refuses texts that are not UTF-8. JSON cannot have them, and two probes
// with the same JSON are the same.
func validateText(v reflect.Value) error {
	switch v.Kind() {
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			return invalid("", "is not UTF-8")
		}
	case reflect.Pointer:
		if !v.IsNil() {
			return validateText(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			if err := validateText(v.Index(i)); err != nil {
				return within(indexed("", i), err)
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if err := validateText(it.Value()); err != nil {
				return within("["+it.Key().String()+"]", err)
			}
		}
	case reflect.Struct:
		for _, f := range fieldsOf(v.Type()) {
			if err := validateText(v.FieldByIndex(f.index)); err != nil {
				return within(v.Type().FieldByIndex(f.index).Name, err)
			}
		}
	}
	return nil
}
