package config

import (
	"reflect"
	"slices"
)

// Merge returns theirs with the changes from base to mine. Values of structs are merged one by one, and cameras and
// targets by their ids. conflict reports that both have changed the same value; then the result has mine. What either
// has removed is not in the result; if the other has changed it, that is a conflict, too.
func Merge(base, mine, theirs Settings) (merged Settings, conflict bool) {
	cameras, c := mergeList(base.Cameras, mine.Cameras, theirs.Cameras, func(c Camera) string { return c.ID })
	targets, t := mergeList(base.Targets, mine.Targets, theirs.Targets, func(t Target) string { return t.ID })
	base.Cameras, mine.Cameras, theirs.Cameras = nil, nil, nil
	base.Targets, mine.Targets, theirs.Targets = nil, nil, nil
	merged, s := merge(base, mine, theirs)
	merged.Cameras, merged.Targets = cameras, targets
	return merged.Clone(), c || t || s
}

func merge[T any](base, mine, theirs T) (T, bool) {
	v := reflect.New(reflect.TypeFor[T]()).Elem()
	conflict := mergeValue(v, reflect.ValueOf(base), reflect.ValueOf(mine), reflect.ValueOf(theirs))
	return v.Interface().(T), conflict
}

// mergeValue sets out to the merged value, and reports a conflict.
func mergeValue(out, base, mine, theirs reflect.Value) (conflict bool) {
	same := func(a, b reflect.Value) bool { return reflect.DeepEqual(a.Interface(), b.Interface()) }
	switch {
	case same(mine, base):
		out.Set(theirs)
	case same(theirs, base), same(theirs, mine):
		out.Set(mine)
	case out.Kind() == reflect.Struct:
		for i := range out.NumField() {
			if mergeValue(out.Field(i), base.Field(i), mine.Field(i), theirs.Field(i)) {
				conflict = true
			}
		}
	default:
		out.Set(mine)
		return true
	}
	return conflict
}

// mergeList merges entries with ids: those of mine, in their order or, if only theirs has another, in that of theirs,
// then those that are new in theirs.
func mergeList[T any](base, mine, theirs []T, id func(T) string) (out []T, conflict bool) {
	find := func(list []T, x T) (T, bool) {
		if i := slices.IndexFunc(list, func(y T) bool { return id(y) == id(x) }); i >= 0 {
			return list[i], true
		}
		var none T
		return none, false
	}
	out = theirs[:0:0]
	for _, m := range mine {
		b, was := find(base, m)
		t, is := find(theirs, m)
		switch {
		case is: // if both have added it, b is empty
			x, c := merge(b, m, t)
			out, conflict = append(out, x), conflict || c
		case !was:
			out = append(out, m)
		case !reflect.DeepEqual(m, b): // it was removed there, with its password, and changed here
			conflict = true
		}
	}
	if slices.EqualFunc(base, mine, func(a, b T) bool { return id(a) == id(b) }) {
		place := func(x T) int { return slices.IndexFunc(theirs, func(t T) bool { return id(t) == id(x) }) }
		slices.SortStableFunc(out, func(a, b T) int { return place(a) - place(b) })
	}
	for _, t := range theirs {
		if _, here := find(mine, t); here {
			continue
		}
		if b, was := find(base, t); !was {
			out = append(out, t)
		} else if !reflect.DeepEqual(t, b) { // it was removed here, and changed there
			conflict = true
		}
	}
	return out, conflict
}
