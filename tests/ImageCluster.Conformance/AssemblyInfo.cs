// Ours runs within the test's process, whose current directory is one.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
