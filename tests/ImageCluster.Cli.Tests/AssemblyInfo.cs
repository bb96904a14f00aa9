// Tests that start processes fork, and for an instant the child holds this process's file locks: a test that has just closed a journal or an image
// beside them would find it locked.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
