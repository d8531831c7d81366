// Package lint holds rules about the source that no compiler knows, as tests: which package may import which, what
// deterministic code must not touch, and how large a file may grow. It has no code of its own.
//
// Each rule comes with its reason, and a broken rule prints it. To change a rule, change the table and say why in
// the commit; the architecture that the import table draws is explained in DESIGN.md.
package lint
