import { describe, expect, it } from 'vitest'

import { playBoth } from '../play-both.ts'
import { accumulateRoomReadings } from './accumulate-room-readings.ts'
import { applicantRequest } from './applicant-request.ts'
import { asyncFunction } from './async-function.ts'
import { asyncSubflow } from './async-subflow.ts'
import { bookLending } from './book-lending.ts'
import { carAuctionBids } from './car-auction-bids.ts'
import { carVitals } from './car-vitals.ts'
import { checkInbox } from './check-inbox.ts'
import { creditCheck } from './credit-check.ts'
import { eventBased, eventBasedTimeout } from './event-based.ts'
import { eventBasedService } from './event-based-service.ts'
import { eventGreeting } from './event-greeting.ts'
import { fillingWater } from './filling-water.ts'
import { finalizeCollegeApp } from './finalize-college-app.ts'
import { greeting } from './greeting.ts'
import { hello } from './hello.ts'
import { loanApplication } from './loan-application.ts'
import { mathProblem } from './math-problem.ts'
import { mediaScanner } from './media-scanner.ts'
import { monitorJob } from './monitor-job.ts'
import { monitorPatient } from './monitor-patient.ts'
import { newPatientOnboarding } from './new-patient-onboarding.ts'
import { parallel } from './parallel.ts'
import { provisionOrders } from './provision-orders.ts'
import { purchaseOrderDeadline, purchaseOrderInTime } from './purchase-order-deadline.ts'
import { reusingFunctions } from './reusing-functions.ts'
import { sendCloudevent } from './send-cloudevent.ts'

describe('workflows in the manner of the CNCF examples, stored between events, go the way of live XState', () => {
  it.each([
    { name: 'accumulate-room-readings', scenario: accumulateRoomReadings },
    { name: 'applicant-request', scenario: applicantRequest },
    { name: 'async-function', scenario: asyncFunction },
    { name: 'async-subflow', scenario: asyncSubflow },
    { name: 'book-lending', scenario: bookLending },
    { name: 'car-auction-bids', scenario: carAuctionBids },
    { name: 'car-vitals', scenario: carVitals },
    { name: 'check-inbox', scenario: checkInbox },
    { name: 'credit-check', scenario: creditCheck },
    { name: 'event-based, decided', scenario: eventBased },
    { name: 'event-based, timed out', scenario: eventBasedTimeout },
    { name: 'event-based-service', scenario: eventBasedService },
    { name: 'event-greeting', scenario: eventGreeting },
    { name: 'filling-water', scenario: fillingWater },
    { name: 'finalize-college-app', scenario: finalizeCollegeApp },
    { name: 'greeting', scenario: greeting },
    { name: 'hello', scenario: hello },
    { name: 'loan-application', scenario: loanApplication },
    { name: 'math-problem', scenario: mathProblem },
    { name: 'media-scanner', scenario: mediaScanner },
    { name: 'monitor-job', scenario: monitorJob },
    { name: 'monitor-patient', scenario: monitorPatient },
    { name: 'new-patient-onboarding', scenario: newPatientOnboarding },
    { name: 'parallel', scenario: parallel },
    { name: 'provision-orders', scenario: provisionOrders },
    { name: 'purchase-order-deadline, missed', scenario: purchaseOrderDeadline },
    { name: 'purchase-order-deadline, kept', scenario: purchaseOrderInTime },
    { name: 'reusing-functions', scenario: reusingFunctions },
    { name: 'send-cloudevent', scenario: sendCloudevent },
  ])('$name', async ({ scenario }) => {
    const { live, stepped, ends } = await playBoth(scenario)

    expect(stepped).toEqual(live)
    expect(stepped.at(-1)?.view).toMatchObject(ends)
  })
})
