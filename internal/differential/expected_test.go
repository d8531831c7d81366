package differential

// expected are the errors that a member alone can give.
var expected = []string{}
