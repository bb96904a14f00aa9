using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Storage;
using ImageCluster.Testing.Time;
using ImageCluster.Work.Leases;
using ImageCluster.Work.Native;
using ImageCluster.Work.Targets;

namespace ImageCluster.Work.Tests.Leases;

public class WorkLeaseTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public void It_ends_before_the_one_who_granted_it_thinks_so()
    {
        var lease = new WorkLease(_time);
        Assert.False(lease.Holds);
        long askedAt = _time.GetTimestamp();
        _time.Advance(TimeSpan.FromSeconds(5));
        lease.Extend(askedAt, TimeSpan.FromSeconds(50));
        _time.Advance(TimeSpan.FromSeconds(43.9));
        lease.Require();
        _time.Advance(TimeSpan.FromSeconds(0.2));
        Assert.Throws<LeaseLostException>(lease.Require);
    }

    [SkippableFact]
    public void The_clock_of_leases_counts_since_the_machines_start_asleep_or_awake()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "Linux only");
        TimeProvider clock = AwakeOrAsleepTime.Instance;
        long before = clock.GetTimestamp();
        // The first number of /proc/uptime is this clock's, in hundredths of a second.
        double uptime = double.Parse(File.ReadAllText("/proc/uptime").Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
        long after = clock.GetTimestamp();
        Assert.InRange(uptime, ((double)before / clock.TimestampFrequency) - 0.02, ((double)after / clock.TimestampFrequency) + 0.02);
        var lease = new WorkLease(clock);
        lease.Extend(clock.GetTimestamp(), TimeSpan.FromHours(1));
        Assert.True(lease.Holds);
        var over = new WorkLease(clock);
        over.Extend(clock.GetTimestamp() - (60 * clock.TimestampFrequency), TimeSpan.FromSeconds(60));
        Assert.False(over.Holds);
    }

    [Fact]
    public void A_machine_that_stood_still_finds_its_lease_over_when_its_time_of_day_is_set()
    {
        (long boot, long day) = (Seconds(1000), Seconds(1_700_000_000));
        var clock = new AwakeOrAsleepTime(() => boot, () => day);
        var lease = new WorkLease(clock);
        lease.Extend(clock.GetTimestamp(), TimeSpan.FromSeconds(50));

        // Both go on, asleep as well.
        (boot, day) = (boot + Seconds(20), day + Seconds(20));
        Assert.True(lease.Holds);
        // Set back, and ahead by less than counts: as if nothing was.
        day -= Seconds(3600);
        Assert.True(lease.Holds);
        day += Seconds(0.4);
        Assert.True(lease.Holds);
        long before = clock.GetTimestamp();
        // The host paused it for a minute and sets its time of day: that is what has passed.
        (boot, day) = (boot + Seconds(1), day + Seconds(61));
        Assert.False(lease.Holds);
        Assert.InRange(clock.GetTimestamp() - before, Seconds(61), Seconds(61.5));
        Assert.Equal(clock.GetTimestamp(), clock.GetTimestamp());

        // A lease that is granted from then on is one like any other.
        var next = new WorkLease(clock);
        next.Extend(clock.GetTimestamp(), TimeSpan.FromSeconds(50));
        (boot, day) = (boot + Seconds(48.9), day + Seconds(48.9));
        Assert.True(next.Holds);
        boot += Seconds(0.2);
        Assert.False(next.Holds);
    }

    [Fact]
    public void Two_clocks_that_are_read_far_apart_say_nothing()
    {
        (long boot, long reading) = (Seconds(1000), 0L);
        // Something else runs for ten seconds between the readings, now and then.
        var clock = new AwakeOrAsleepTime(() => boot += reading++ % 7 == 3 ? Seconds(10) : 0, () => boot);
        for (int i = 0; i < 100; i++)
        {
            long now = clock.GetTimestamp();
            Assert.Equal(boot, now);
        }
    }

    private static long Seconds(double seconds) => (long)(seconds * 1_000_000_000);

    [Fact]
    public void What_ran_out_or_was_revoked_never_comes_back()
    {
        var lease = new WorkLease(_time);
        lease.Extend(_time.GetTimestamp(), TimeSpan.FromSeconds(10));
        _time.Advance(TimeSpan.FromSeconds(10));
        lease.Extend(_time.GetTimestamp(), TimeSpan.FromSeconds(10));
        Assert.False(lease.Holds);
        var other = new WorkLease(_time);
        other.Extend(_time.GetTimestamp(), TimeSpan.FromSeconds(10));
        other.Revoke();
        other.Extend(_time.GetTimestamp(), TimeSpan.FromSeconds(10));
        Assert.False(other.Holds);
    }

    [Fact]
    public void Nothing_of_a_target_changes_once_the_lease_has_run_out()
    {
        using var directory = new TempDirectory();
        var place = new StagingArea(directory["a.raw"], "job");
        place.StartAnew();
        var lease = new WorkLease(_time);
        lease.Extend(_time.GetTimestamp(), TimeSpan.FromSeconds(10));
        using var fenced = new FencedLocator(new LocalFileLocator(), lease);
        IFileLocator locator = place.Locator(fenced);
        using (IBlockFile file = locator.Create(place.FinalPath, 1024, OpenMode.ReadWrite))
        {
            file.Write(0, [1, 2, 3]);
            _time.Advance(TimeSpan.FromSeconds(10));
            Assert.Throws<LeaseLostException>(() => file.Write(0, [9]));
            Assert.Throws<LeaseLostException>(() => file.WriteZeroes(0, 512, ZeroMode.MayUnmap));
            Assert.Throws<LeaseLostException>(() => file.Discard(0, 512));
            Assert.Throws<LeaseLostException>(() => file.SetLength(0));
            Assert.Throws<LeaseLostException>(() => file.Allocate(0, 512));
            Assert.Throws<LeaseLostException>(file.Flush);
        }

        Assert.Throws<LeaseLostException>(() => locator.Create(place.FinalPath, 0, OpenMode.ReadWrite));
        Assert.Throws<LeaseLostException>(() => locator.Delete(place.FinalPath));
        Assert.Equal([1, 2, 3, 0], File.ReadAllBytes(place.MainFile)[..4]);
        Assert.False(File.Exists(place.FinalPath));
        Assert.Throws<LeaseLostException>(() => locator.Open(place.FinalPath, OpenMode.ReadWrite));
        locator.Open(place.FinalPath, OpenMode.ReadOnly).Dispose();
    }
}
