using CsCheck;
using Xunit;

namespace ImageCluster.Testing;

/// <summary>
/// Properties over generated cases that are the same in every run (<see cref="TestSeed"/>). With <c>IMAGECLUSTER_SEED=random</c>, or
/// <c>CsCheck_Seed</c> as a failure named it, CsCheck draws the cases itself and shrinks one that fails.
/// </summary>
public static class Properties
{
    private const int UsualCases = 100;

    public static void Holds<T>(this Gen<T> gen, Action<T> assert, int cases = UsualCases)
    {
        if (TestSeed.IsRandom || Check.Seed is not null)
        {
            gen.Sample(assert, iter: cases, threads: 1);
            return;
        }

        var numbers = new PCG(1, (ulong)TestSeed.Value);
        for (int i = 0; i < cases; i++)
        {
            gen.Sample(assert, seed: numbers.ToString(), iter: 1, threads: 1);
            numbers.Next64();
        }
    }

    public static void Holds<T>(this Gen<T> gen, Func<T, bool> holds, int cases = UsualCases) =>
        gen.Holds(value => Assert.True(holds(value)), cases);

    public static void Holds<T1, T2>(this Gen<(T1, T2)> gen, Action<T1, T2> assert, int cases = UsualCases) =>
        gen.Holds(value => assert(value.Item1, value.Item2), cases);

    public static void Holds<T1, T2>(this Gen<(T1, T2)> gen, Func<T1, T2, bool> holds, int cases = UsualCases) =>
        gen.Holds(value => Assert.True(holds(value.Item1, value.Item2)), cases);

    public static void Holds<T1, T2, T3>(this Gen<(T1, T2, T3)> gen, Action<T1, T2, T3> assert, int cases = UsualCases) =>
        gen.Holds(value => assert(value.Item1, value.Item2, value.Item3), cases);

    public static void Holds<T1, T2, T3, T4>(this Gen<(T1, T2, T3, T4)> gen, Action<T1, T2, T3, T4> assert, int cases = UsualCases) =>
        gen.Holds(value => assert(value.Item1, value.Item2, value.Item3, value.Item4), cases);

    public static void Holds<T1, T2, T3, T4, T5>(this Gen<(T1, T2, T3, T4, T5)> gen, Action<T1, T2, T3, T4, T5> assert, int cases = UsualCases) =>
        gen.Holds(value => assert(value.Item1, value.Item2, value.Item3, value.Item4, value.Item5), cases);
}
